internal import Bytes
internal import EventLoop
internal import Pooling
internal import SQL
internal import Session
internal import Wire

// What functions leave behind: who reads which of them do, and what a client is suspected of while
// nobody knows.

extension Worker where Loop: ~Copyable {
    /// The client is about to be parted from its server. Returns whether the server is asked for
    /// the functions of its database first.
    mutating func readFunctions(_ serverSlot: Int, _ slot: Int, _ limits: PoolLimits) -> Bool {
        let epoch = service.functions.epoch
        guard clients[slot].session.functionsEpoch != epoch || servers[serverSlot].definesFunctions
        else { return false }
        guard limits.readsFunctions else {
            clients[slot].session.know(nil)
            clients[slot].session.functionsEpoch = epoch
            endDefinition(serverSlot)
            return false
        }
        if servers[serverSlot].definesFunctions {
            endDefinition(serverSlot)
            clients[slot].session.suspectEverything()
            // It may have used what it has just made.
            return readFunctions(serverSlot, slot, limits)
        }
        let (id, now) = (servers[serverSlot].id, now)
        switch service.functions.withDirectory(
            of: servers[serverSlot].pool,
            {
                $0.released(id, at: now)
            })
        {
        case .settled(let names):
            let isNew = clients[slot].session.functions !== names
            clients[slot].session.know(names)
            clients[slot].session.functionsEpoch = epoch
            if isNew { clients[slot].session.suspectEverything() }
        case .doubtful(let names):
            clients[slot].session.know(names)
            // As long as it sends nothing, there is nothing new to ask for.
            if !servers[serverSlot].isAudited { clients[slot].session.suspectEverything() }
        case .read(let mark):
            servers[serverSlot].readsFunctions = true
            servers[serverSlot].session.askForFunctions(
                mark: mark, toServer: &toServer.buffer, store: statements)
            flushToServer(serverSlot, RawSpan())
            armServerReceive(serverSlot)
            return true
        }
        return false
    }

    /// The client begins with a server: its texts are read with what is known of its database.
    mutating func knowFunctions(_ serverSlot: Int, _ slot: Int) {
        let epoch = service.functions.epoch
        let pool = servers[serverSlot].poolName.id
        guard clients[slot].session.functionsEpoch != epoch || clients[slot].functionsPool != pool
        else { return }
        clients[slot].functionsPool = pool
        let names = service.functions.withDirectory(of: servers[serverSlot].pool) { directory in
            // What is not settled is to be looked at again at the release.
            directory.isSettled ? (directory.names, epoch) : (directory.names, 0)
        }
        clients[slot].session.know(names.0)
        clients[slot].session.functionsEpoch = names.1
    }

    /// The client's text may change what others leave, and is about to be sent.
    mutating func noteDefinition(_ serverSlot: Int, _ slot: Int) {
        clients[slot].session.traces.definesFunctions = false
        guard !servers[serverSlot].definesFunctions else { return }
        servers[serverSlot].definesFunctions = true
        service.functions.withDirectory(of: servers[serverSlot].pool) { $0.definitionBegan() }
        service.functions.advance()
    }

    private mutating func endDefinition(_ serverSlot: Int) {
        guard servers[serverSlot].definesFunctions else { return }
        servers[serverSlot].definesFunctions = false
        service.functions.withDirectory(of: servers[serverSlot].pool) { $0.definitionEnded() }
        service.functions.advance()
    }

    /// The server has answered, if it was asked for functions. Returns whether it was.
    mutating func functionsRead(_ serverSlot: Int) -> Bool {
        guard let listing = servers[serverSlot].session.takeListing() else { return false }
        let (id, now) = (servers[serverSlot].id, now)
        servers[serverSlot].readsFunctions = false
        let names = listing.names()
        let isNew = service.functions.withDirectory(of: servers[serverSlot].pool) {
            $0.wasRead(by: id, mark: listing.mark, names, at: now)
        }
        if isNew { service.functions.advance() }
        return true
    }

    /// The same for an error instead of an answer.
    mutating func functionsUnread(_ serverSlot: Int, _ reason: String) -> Bool {
        guard servers[serverSlot].session.takeListing() != nil else { return false }
        service.log(
            .warning,
            "\(name(ofServer: serverSlot)): cannot be asked what functions there are, so that all "
                + "servers of its database are asked for everything: \(reason)")
        endReading(serverSlot)
        return true
    }

    /// The server is lost. Returns whether it only read, and its client is done with it: that one
    /// stays.
    mutating func lostWhileReading(_ serverSlot: Int, _ slot: Int, _ reason: String) -> Bool {
        guard servers[serverSlot].readsFunctions, clients[slot].session.traces.isClean,
            clients[slot].session.channels == nil, !servers[serverSlot].session.saidFatal
        else { return false }
        let client = clients[slot].id
        unlink(serverSlot, slot)
        closeServer(serverSlot, reason)
        goOn(slot, client)
        return true
    }

    private mutating func endReading(_ serverSlot: Int) {
        guard servers[serverSlot].readsFunctions else { return }
        servers[serverSlot].readsFunctions = false
        let (id, now) = (servers[serverSlot].id, now)
        service.functions.withDirectory(of: servers[serverSlot].pool) {
            $0.readingFailed(id, at: now)
        }
        service.functions.advance()
    }

    /// The server is closed, or goes back to its pool without having been asked.
    mutating func forgetFunctions(_ serverSlot: Int) {
        endDefinition(serverSlot)
        endReading(serverSlot)
    }

    /// The client is gone. Whether it may have left what none of its texts has shown.
    func isInDoubtAboutFunctions(_ serverSlot: Int, _ slot: Int) -> Bool {
        clients[slot].session.sharesServers
            && (servers[serverSlot].definesFunctions || servers[serverSlot].readsFunctions
                || clients[slot].session.functionsEpoch != service.functions.epoch)
    }
}
