internal import Bytes
internal import Worker

extension ClientReport {
    /// As KILL_CLIENT takes it, and as the client was told for its cancel requests.
    var number: UInt32 { id.number }
}

extension ClientID {
    var number: UInt32 { UInt32(worker) << 24 | (slot + 1) }

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
    private func socketRows() -> RowSet {
        RowSet(
            types: "ssssssisiTTiiississii",
            names: "type user database replication state addr port local_addr local_port "
                + "connect_time request_time wait wait_us close_needed ptr link remote_pid tls "
                + "application_name prepared_statements id")
    }

    func clientRows() -> RowSet {
        var set = socketRows()
        let clock = WallClock(monotonic: now)
        for client in reports().clients.sorted(by: { $0.number < $1.number }) {
            let wait = microseconds(since: client.waitingSince)
            set.add([
                "C", client.user, client.database, "none", client.state, client.address,
                "\(client.port)", client.localAddress, "\(client.localPort)",
                clock.text(client.connectedAt), clock.text(client.requestedAt),
                "\(wait / 1_000_000)", "\(wait % 1_000_000)", "0", client.id.pointer,
                client.link?.pointer ?? "", "\(client.linkedProcessID)", client.tls,
                client.applicationName, "\(client.statementCount)", "\(client.number)",
            ])
        }
        return set
    }

    func serverRows() -> RowSet {
        var set = socketRows()
        let clock = WallClock(monotonic: now)
        let servers = reports().servers + service.idleServerReports()
        // One that was taken or given back between the two lists is in both: the later is right.
        var seen: [ServerID: ServerReport] = [:]
        for server in servers { seen[server.id] = server }
        for server in seen.values.sorted(by: { $0.id.slot < $1.id.slot }) {
            set.add([
                "S", server.user, server.database, "none", server.state, server.address,
                "\(server.port)", server.localAddress, "\(server.localPort)",
                clock.text(server.connectedAt), clock.text(server.requestedAt), "0", "0", "0",
                server.id.pointer, server.link?.pointer ?? "", "\(server.processID)", server.tls,
                server.applicationName, "\(server.statementCount)", "\(server.id.slot + 1)",
            ])
        }
        return set
    }
}
