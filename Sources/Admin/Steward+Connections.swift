internal import Bytes
internal import Worker

extension ClientReport {
    /// As KILL_CLIENT takes it, and as the client was told for its cancel requests.
    var number: UInt32 { id.processID }
}

extension ClientID {
    /// In the place of PgBouncer's address: unique, and never a server's.
    var pointer: String {
        hexadecimal(UInt64(worker) << 56 | UInt64(slot) << 32 | UInt64(generation))
    }
}

extension ServerID {
    var pointer: String {
        hexadecimal(1 << 63 | UInt64(slot) << 32 | UInt64(generation))
    }
}

private func hexadecimal(_ number: UInt64) -> String { "0x" + String(number, radix: 16) }

extension Steward {
    private static let columnTypes = "ssssssisiTTiiississiis"
    private static let columnNames =
        "type user database replication state addr port local_addr local_port connect_time "
        + "request_time wait wait_us close_needed ptr link remote_pid tls application_name "
        + "prepared_statements id pinned_by"
    private static let bufferNames =
        "recv_pos pkt_pos pkt_remain send_pos send_remain pkt_avail send_avail"

    func clientRows() -> RowSet {
        var set = RowSet(types: Steward.columnTypes, names: Steward.columnNames)
        for client in reports().clients.sorted(by: { $0.number < $1.number }) {
            set.add(row(client))
        }
        return set
    }

    func serverRows() -> RowSet {
        var set = RowSet(types: Steward.columnTypes, names: Steward.columnNames)
        for server in all(reports().servers) { set.add(row(server)) }
        return set
    }

    /// Clients, then servers. `onlyBusy`: those whose buffers are not empty.
    func socketRows(onlyBusy: Bool) -> RowSet {
        var set = RowSet(
            types: Steward.columnTypes + "iiiiiii",
            names: Steward.columnNames + " " + Steward.bufferNames)
        let (clients, servers) = reports()
        let rows =
            clients.sorted(by: { $0.number < $1.number })
            .map { (row($0), $0.heldByteCount, $0.unsentByteCount) }
            + all(servers).map { (row($0), $0.heldByteCount, $0.unsentByteCount) }
        for (row, held, unsent) in rows where !onlyBusy || held > 0 || unsent > 0 {
            set.add(row + ["\(held)", "0", "0", "0", "0", "\(held)", "\(unsent)"])
        }
        return set
    }

    private func row(_ client: ClientReport) -> [String?] {
        let clock = WallClock(monotonic: now)
        let wait = microseconds(since: client.waitingSince)
        return [
            "C", client.user, client.database, "none", client.state, client.address,
            "\(client.port)", client.localAddress, "\(client.localPort)",
            clock.text(client.connectedAt), clock.text(client.requestedAt),
            "\(wait / 1_000_000)", "\(wait % 1_000_000)", "0", client.id.pointer,
            client.link?.pointer ?? "", "\(client.linkedProcessID)", client.tls,
            client.applicationName, "\(client.statementCount)", "\(client.number)",
            client.pinnedBy,
        ]
    }

    /// `servers` and the idle ones. One that was taken or given back between the two lists is in
    /// both: the later is right.
    private func all(_ servers: [ServerReport]) -> [ServerReport] {
        var seen: [ServerID: ServerReport] = [:]
        for server in servers + service.idleServerReports() { seen[server.id] = server }
        return seen.values.sorted { $0.id.slot < $1.id.slot }
    }

    private func row(_ server: ServerReport) -> [String?] {
        let clock = WallClock(monotonic: now)
        return [
            "S", server.user, server.database, "none", server.state, server.address,
            "\(server.port)", server.localAddress, "\(server.localPort)",
            clock.text(server.connectedAt), clock.text(server.requestedAt), "0", "0",
            server.isOutdated ? "1" : "0", server.id.pointer, server.link?.pointer ?? "",
            "\(server.processID)", server.tls, server.applicationName,
            "\(server.statementCount)", "\(server.id.slot + 1)",
            "",
        ]
    }
}
