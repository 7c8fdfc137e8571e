internal import Pooling
internal import Session
internal import Sharding
internal import Worker

/// Clusters, sharding maps and tenants, when every name is known.
extension Interpreter {
    mutating func finishSharding() {
        // SET changes one key of the service and says nothing of shards.
        guard written != WrittenSharding() else { return refuseSessionMode() }
        var sharding = ShardingSettings()
        for name in written.clusters.sorted() { sharding.clusters[name] = cluster(name) }
        for name in written.maps.keys.sorted() {
            sharding.routers[name] = router(name, sharding.clusters)
        }
        for name in written.destinations.keys.sorted() {
            guard let found = written.destinations[name] else { continue }
            refuseServers(ofDatabase: name)
            sharding.databases[name] = destination(.database, name, found, sharding)
        }
        for name in written.tenants.keys.sorted() {
            sharding.tenants[name] = tenant(name, sharding)
        }
        checkLookups(sharding)
        draft.sharding = sharding
        refuseSessionMode()
    }

    private mutating func fail(
        _ section: Section, _ owner: String, _ key: String?, _ message: String
    ) {
        let shown = key ?? owner.split(separator: "\0").first.map(String.init)
        problems.append(position(section, owner: owner, key).problem(shown, message))
    }

    // MARK: Clusters

    private mutating func cluster(_ name: String) -> Cluster {
        var shards: [Shard] = []
        while var shard = written.shards[Part.path(of: name, "shards", shards.count)] {
            let owner = Part.path(of: name, "shards", shards.count)
            checkName(shard.name, owner, others: shards)
            shard.primary = primary(owner)
            while let replica = written.servers[
                Part.path(of: owner, "replicas", shard.replicas.count)]
            {
                let place = Part.path(of: owner, "replicas", shard.replicas.count)
                if replica.host.isEmpty { fail(.server, place, "host", "required") }
                shard.replicas.append(replica)
            }
            warnAboutReplicas(shard, owner)
            if let twin = shards.first(where: { $0.primary == shard.primary }),
                !shard.primary.host.isEmpty
            {
                let position = position(.server, owner: Part.path(of: owner, "primary"))
                problems.append(
                    position.problem(
                        "primary", "the same host, port and dbname as that of shard \(twin.name)"))
            }
            shards.append(shard)
        }
        if shards.isEmpty {
            fail(.cluster, name, nil, "no shards; write [[clusters.\(name).shards]]")
        }
        return Cluster(name: name, shards: shards)
    }

    private mutating func warnAboutReplicas(_ shard: Shard, _ owner: String) {
        guard !shard.replicas.isEmpty else { return }
        let first = position(.server, owner: Part.path(of: owner, "replicas", 0))
        warnings.append(
            first.problem("replicas", "ignored; replicas are read by nobody yet"))
    }

    private mutating func primary(_ owner: String) -> ShardServer {
        let place = Part.path(of: owner, "primary")
        guard let server = written.servers[place] else {
            fail(.shard, owner, "primary", "required: primary = { host = …, port = …, dbname = … }")
            return ShardServer()
        }
        if server.host.isEmpty { fail(.server, place, "host", "required") }
        return server
    }

    private mutating func checkName(_ name: String, _ owner: String, others: [Shard]) {
        if name.isEmpty {
            fail(.shard, owner, "name", "required: the shard's name")
        } else if others.contains(where: { $0.name == name }) {
            fail(.shard, owner, "name", "another shard of the cluster is \"\(name)\"")
        } else if ["refuse", "scatter", "any"].contains(name.lowercased()) || Int(name) != nil {
            fail(
                .shard, owner, "name",
                "\"\(name)\" means something else where a shard is named; begin with a letter")
        }
    }

    private func hasNames(_ cluster: Cluster) -> Bool {
        let names = Set(cluster.shards.map(\.name))
        return names.count == cluster.shards.count && !names.contains("") && !names.isEmpty
    }

    // MARK: Maps

    private mutating func router(_ name: String, _ clusters: [String: Cluster]) -> Router? {
        guard var map = written.maps[name] else { return nil }
        guard let cluster = cluster(map.cluster, .map, name, clusters) else { return nil }
        map.description.name = name
        map.description.shards = cluster.shards.map(\.name)
        while let place = written.places[
            Part.path(of: name, "place", map.description.places.count)]
        {
            map.description.places.append(place)
        }
        do throws(MapProblems) {
            return Router(try ShardingMap(map.description))
        } catch {
            for problem in error.problems { note(problem, ofMap: name) }
            return nil
        }
    }

    /// A value that could not be read is not reported as missing too.
    private mutating func note(_ problem: MapProblem, ofMap name: String) {
        guard let index = problem.place else {
            let position = position(.map, owner: name, problem.key)
            let isKnown = problems.contains { $0.key == problem.key && $0.line == position.line }
            if !isKnown { fail(.map, name, problem.key, problem.message) }
            return
        }
        let owner = Part.path(of: name, "place", index)
        if problem.key == nil {
            let isKnown = ["values", "from", "to", "remainders"].contains { key in
                isSet(key, in: .place, owner: owner)
                    && problems.contains {
                        $0.key == key && $0.line == position(.place, owner: owner, key).line
                    }
            }
            if isKnown { return }
        }
        let shown = problem.key ?? "place \(index + 1)"
        problems.append(
            position(.place, owner: owner, problem.key).problem(shown, problem.message))
    }

    private mutating func cluster(
        _ name: String, _ section: Section, _ owner: String, _ clusters: [String: Cluster]
    ) -> Cluster? {
        // What is wrong with a cluster's names would only be repeated.
        if let cluster = clusters[name] { return hasNames(cluster) ? cluster : nil }
        let known = clusters.keys.sorted()
        let hint = nearest(to: name, among: known).map { "; did you mean \($0)?" } ?? ""
        fail(
            section, owner, "cluster",
            name.isEmpty
                ? "required: a name of [clusters]" : "there is no [clusters.\(name)]\(hint)")
        return nil
    }

    private mutating func checkLookups(_ sharding: ShardingSettings) {
        for (name, router) in sharding.routers.sorted(by: { $0.key < $1.key }) {
            guard case .lookup(let lookup) = router.map.placement else { continue }
            if databases[lookup.database] == nil {
                fail(.map, name, "lookup_database", "there is no [databases.\(lookup.database)]")
            } else if written.destinations[lookup.database] != nil {
                fail(.map, name, "lookup_database", "\"\(lookup.database)\" is sharded itself")
            }
        }
    }

    /// Statements of one session go to several servers.
    private mutating func refuseSessionMode() {
        for (name, destination) in draft.sharding.databases.sorted(by: { $0.key < $1.key }) {
            guard case .map = destination,
                (databases[name]?.mode ?? draft.settings.session.mode) == .session
            else { continue }
            fail(
                .database, name, isSet("pool_mode", in: .database, owner: name) ? "pool_mode" : nil,
                "a database on several shards needs pool_mode = transaction or statement")
        }
        let mapped = draft.sharding.tenants.values.filter {
            if case .map = $0.destination { true } else { false }
        }
        for tenant in mapped.sorted(by: { $0.name < $1.name })
        where draft.settings.session.mode == .session {
            fail(
                .tenant, tenant.name, nil,
                "a tenant on several shards needs pool_mode = transaction or statement")
        }
        guard draft.sharding.hasMap else { return }
        for (name, user) in users.sorted(by: { $0.key < $1.key }) where user.mode == .session {
            let position = position(.user, owner: name, "pool_mode")
            warnings.append(
                position.problem(
                    "pool_mode", "ignored in databases on several shards: transaction there"))
        }
    }

    // MARK: Databases and tenants

    private mutating func refuseServers(ofDatabase name: String) {
        for key in ["host", "port", "dbname", "load_balance_hosts"]
        where isSet(key, in: .database, owner: name) {
            fail(.database, name, key, "not beside cluster, which says where the servers are")
        }
    }

    private mutating func destination(
        _ section: Section, _ owner: String, _ found: WrittenDestination,
        _ sharding: ShardingSettings
    ) -> Destination? {
        guard
            let cluster = cluster(found.cluster ?? "", section, owner, sharding.clusters)
        else { return nil }
        switch (found.map, found.shard) {
        case (let map?, nil):
            guard let written = written.maps[map] else {
                let hint = nearest(to: map, among: self.written.maps.keys.sorted())
                    .map { "; did you mean \($0)?" }
                fail(section, owner, "sharding", "there is no [sharding.\(map)]\(hint ?? "")")
                return nil
            }
            guard written.cluster == cluster.name else {
                guard sharding.clusters[written.cluster] != nil else { return nil }
                fail(
                    section, owner, "sharding",
                    "[sharding.\(map)] is for cluster \(written.cluster), not \(cluster.name)")
                return nil
            }
            return .map(map, cluster: cluster.name)
        case (nil, let shard?):
            guard let index = cluster.index(ofShard: shard) else {
                let names = cluster.shards.map(\.name).joined(separator: ", ")
                fail(section, owner, "shard", "\"\(shard)\" is not one of \(names)")
                return nil
            }
            return .shard(index, cluster: cluster.name)
        case (nil, nil):
            fail(section, owner, "cluster", "needs sharding or shard beside it")
        case (_?, _?):
            fail(section, owner, "shard", "not beside sharding; write one of them")
        }
        return nil
    }

    private mutating func tenant(_ name: String, _ sharding: ShardingSettings) -> Tenant? {
        guard let tenant = written.tenants[name] else { return nil }
        if isSet("weight", in: .tenant, owner: name) {
            warnings.append(
                position(.tenant, owner: name, "weight").problem(
                    "weight", "ignored; tenants that wait are not weighed yet"))
        }
        if tenant.settings.match == .database {
            if name == "pgbouncer" || name == "pgweir" {
                fail(.tenant, name, nil, "this name is the console's; no database can have it")
            } else if databases[name] != nil {
                fail(.tenant, name, nil, "[databases.\(name)] has this name already")
            }
        }
        guard let destination = destination(.tenant, name, tenant.destination, sharding) else {
            return nil
        }
        return Tenant(name: name, destination: destination, settings: tenant.settings)
    }
}
