internal import Bytes
internal import Configuration
internal import EventLoop
internal import Pooling
internal import Session
internal import Sharding
internal import Wire
internal import Worker

/// The version as SHOW VERSION names it.
private let version = "pgweir 0.1.0"

extension Steward {
    /// Parameters that drivers ask for and set; we answer as PgBouncer does.
    static let assumedParameters = [
        "client_encoding": "UTF-8", "default_transaction_isolation": "read committed",
        "standard_conforming_strings": "on", "datestyle": "ISO", "timezone": "GMT",
        "extra_float_digits": "1",
    ]

    /// The answer to `SHOW what`; nil when there is no such thing.
    func show(_ what: String) -> Answer? {
        if let value = Steward.assumedParameters[what] {
            var set = RowSet(types: "s", names: what)
            set.add([value])
            return .rows(set)
        }
        switch what {
        case "pools": return .rows(poolRows())
        case "clients": return .rows(clientRows())
        case "servers": return .rows(serverRows())
        case "databases": return .rows(databaseRows())
        case "users": return .rows(userRows())
        case "stats": return .rows(statistics(.both))
        case "stats_totals": return .rows(statistics(.totals))
        case "stats_averages": return .rows(statistics(.averages))
        case "totals": return .rows(totals())
        case "lists": return .rows(lists())
        case "config": return .rows(configuration())
        case "shards": return .rows(shardRows())
        case "tenants": return .rows(tenantRows())
        case "state": return .rows(stateRows())
        case "workers": return .rows(workers())
        case "sockets": return .rows(socketRows(onlyBusy: false))
        case "active_sockets": return .rows(socketRows(onlyBusy: true))
        case "mem": return .rows(memoryRows())
        case "dns_hosts": return .rows(nameRows())
        case "dns_zones": return .rows(RowSet(types: "sqi", names: "zonename serial count"))
        case "peers": return .rows(RowSet(types: "isii", names: "peer_id host port pool_size"))
        case "peer_pools":
            return .rows(
                RowSet(
                    types: "iiiii",
                    names: "peer_id cl_active_cancel_req cl_waiting_cancel_req sv_active_cancel "
                        + "sv_login"))
        case "version":
            var set = RowSet(types: "s", names: "version")
            set.add([version])
            return .rows(set)
        case "help":
            return .notice(
                ErrorReply(.notice, .successfulCompletion, "Console usage", detail: Steward.help),
                tag: "SHOW")
        default: return nil
        }
    }

    private static let help = """

        \tSHOW HELP|CONFIG|DATABASES|POOLS|CLIENTS|SERVERS|USERS|VERSION
        \tSHOW PEERS|PEER_POOLS
        \tSHOW SOCKETS|ACTIVE_SOCKETS|LISTS|MEM|STATE|WORKERS
        \tSHOW DNS_HOSTS|DNS_ZONES
        \tSHOW SHARDS|TENANTS
        \tSHOW ROUTE FOR '<statement>' [IN <db>]
        \tSHOW STATS|STATS_TOTALS|STATS_AVERAGES|TOTALS
        \tSET key = arg
        \tRELOAD
        \tPAUSE [<db>]
        \tRESUME [<db>]
        \tDISABLE <db>
        \tENABLE <db>
        \tRECONNECT [<db>]
        \tKILL [<db>]
        \tKILL_CLIENT <client_id>
        \tSHUTDOWN
        \tSHUTDOWN WAIT_FOR_SERVERS|WAIT_FOR_CLIENTS
        \tWAIT_CLOSE [<db>]

        """

    private func poolRows() -> RowSet {
        var set = RowSet(
            types: "ss" + String(repeating: "i", count: 13) + "ss",
            names: "database user cl_active cl_waiting cl_active_cancel_req cl_waiting_cancel_req "
                + "sv_active sv_active_cancel sv_being_canceled sv_idle sv_used sv_tested sv_login "
                + "maxwait maxwait_us pool_mode load_balance_hosts")
        for pool in service.pools {
            let (counts, clientCount, profile) = pool.state.withLock {
                ($0.machine.counts, $0.machine.clientCount, $0.profile)
            }
            let wait = microseconds(since: counts.oldestWait)
            let active = max(0, clientCount - counts.waiting)
            let figures: [Int64] = [
                Int64(active), Int64(counts.waiting), 0, 0, Int64(counts.linked), 0, 0,
                Int64(counts.idle), 0, 0, Int64(counts.opening), wait / 1_000_000,
                wait % 1_000_000,
            ]
            set.add(
                [pool.shownName, pool.user] + figures.map { "\($0)" }
                    + [profile.session.mode.rawValue, balancing(profile.balancesHosts)])
        }
        return set
    }

    func microseconds(since instant: Instant?) -> Int64 {
        instant.map { max(0, (now - $0).microseconds) } ?? 0
    }

    private func balancing(_ isOn: Bool) -> String { isOn ? "round-robin" : "disable" }

    private func databaseRows() -> RowSet {
        var set = RowSet(
            types: "ssissiiiissiiiiii",
            names: "name host port database force_user pool_size min_pool_size reserve_pool_size "
                + "server_lifetime pool_mode load_balance_hosts max_connections "
                + "current_connections max_client_connections current_client_connections paused "
                + "disabled")
        let settings = service.settings
        let holds = service.holds
        var servers: [String: Int] = [:]
        var clients: [String: Int] = [:]
        for pool in service.pools {
            pool.state.withLock {
                servers[pool.database, default: 0] += $0.machine.counts.servers
                clients[pool.database, default: 0] += $0.machine.clientCount
            }
        }
        let tenants = settings.sharding.tenants.values.filter { $0.settings.match == .database }
        let names = Set(settings.databases.keys).union(tenants.map(\.name)).union(servers.keys)
            .union(holds.paused).union(holds.disabled)
        for name in names.sorted() {
            guard let (entry, tenant) = settings.entry(ofDatabase: name) else { continue }
            let lifetime = entry.serverLifetime ?? settings.pool.serverLifetime
            let serversMax = tenant?.serversMax ?? entry.serversMax ?? settings.pool.serversMax
            let clientsMax = entry.databaseClientsMax ?? settings.databaseClientsMax
            set.add([
                name, entry.hosts.isEmpty ? nil : entry.hosts.joined(separator: ","),
                entry.ports.first.map { "\($0)" } ?? "5432", entry.name ?? name,
                entry.forcedUser, "\(serversMax)",
                "\(entry.serversMin ?? settings.pool.serversMin)",
                "\(entry.reserveMax ?? settings.pool.reserveMax)",
                "\(lifetime.components.seconds)", entry.mode?.rawValue,
                balancing(entry.balancesHosts),
                "\(entry.databaseServersMax ?? settings.databaseServersMax)",
                "\(servers[name] ?? 0)",
                "\(tenant?.clientsMax ?? clientsMax)",
                "\(clients[name] ?? 0)", holds.isPaused(name) ? "1" : "0",
                holds.disabled.contains(name) ? "1" : "0",
            ])
        }
        return set
    }

    private func userRows() -> RowSet {
        var set = RowSet(
            types: "ssssiiii",
            names: "name pool_size reserve_pool_size pool_mode max_user_connections "
                + "current_connections max_user_client_connections current_client_connections")
        let settings = service.settings
        var servers: [String: Int] = [:]
        var clients: [String: Int] = [:]
        for pool in service.pools {
            pool.state.withLock {
                servers[pool.user, default: 0] += $0.machine.counts.servers
                clients[pool.user, default: 0] += $0.machine.clientCount
            }
        }
        for name in Set(settings.users.keys).union(servers.keys).sorted() {
            let user = settings.users[name]
            set.add([
                name, user?.serversMax.map { "\($0)" } ?? "",
                user?.reserveMax.map { "\($0)" } ?? "", user?.mode?.rawValue,
                "\(user?.userServersMax ?? settings.userServersMax)", "\(servers[name] ?? 0)",
                "\(user?.userClientsMax ?? settings.userClientsMax)", "\(clients[name] ?? 0)",
            ])
        }
        return set
    }

    private func lists() -> RowSet {
        var set = RowSet(types: "si", names: "list items")
        let settings = service.settings
        let pools = service.pools
        let counts = pools.map { pool in pool.state.withLock { $0.machine.counts } }
        let idleCount = counts.reduce(0) { $0 + $1.idle }
        let usedCount = counts.reduce(0) { $0 + $1.linked + $1.opening }
        let clients = reports().clients
        let names = service.resolvedNames
        let loginCount = clients.count { $0.state == "login" }
        let rows: [(String, Int)] = [
            ("databases", settings.databases.count), ("users", settings.users.count),
            ("peers", 0), ("pools", pools.count), ("peer_pools", 0), ("free_clients", 0),
            ("used_clients", clients.count - loginCount), ("login_clients", loginCount),
            ("free_servers", idleCount), ("used_servers", usedCount), ("dns_names", names.count),
            ("dns_zones", 0),
            ("dns_queries", names.count(where: \.isPending)), ("dns_pending", 0),
        ]
        for (name, count) in rows { set.add([name, "\(count)"]) }
        return set
    }

    private func configuration() -> RowSet {
        var set = RowSet(types: "ssss", names: "key value default changeable")
        for setting in shown() {
            set.add([
                setting.key, setting.value, setting.default, setting.isChangeable ? "yes" : "no",
            ])
        }
        return set
    }

    private func stateRows() -> RowSet {
        var set = RowSet(types: "ss", names: "key value")
        let isAllPaused = service.holds.isAllPaused
        set.add(["active", isAllPaused ? "no" : "yes"])
        set.add(["paused", isAllPaused ? "yes" : "no"])
        set.add(["suspended", "no"])
        return set
    }

    private func memoryRows() -> RowSet {
        var set = RowSet(types: "siiii", names: "name size used free memtotal")
        let desk = askWorkers(wantsClients: false)
        _ = lists(of: desk)
        for table in service.memoryReports(clientPlaceCount: desk.clientPlaceCount) {
            set.add([
                table.name, "\(table.byteCount)", "\(table.usedCount)",
                "\(table.placeCount - table.usedCount)", "\(table.placeCount * table.byteCount)",
            ])
        }
        return set
    }

    private func nameRows() -> RowSet {
        var set = RowSet(types: "sqs", names: "hostname ttl addrs")
        for name in service.resolvedNames {
            let left = max(0, (name.expires - now).microseconds / 1_000_000)
            set.add([name.host, "\(left)", name.addresses.map(\.host).joined(separator: ",")])
        }
        return set
    }

    private func workers() -> RowSet {
        var set = RowSet(types: "ii", names: "index clients")
        for (index, count) in service.clientCountsByWorker.enumerated() {
            set.add(["\(index)", "\(count)"])
        }
        return set
    }
}
