internal import Wire
internal import Worker

extension Steward {
    func error(
        _ fitting: SQLState, _ message: String, detail: String? = nil, hint: String? = nil
    ) -> ErrorReply {
        ErrorReply(.error, state(fitting), message, detail: detail, hint: hint)
    }

    /// `fitting`, or what PgBouncer says always; of its own codes F0000 is the exception.
    func state(_ fitting: SQLState) -> SQLState {
        service.settings.usesFittingSQLStates || fitting == "F0000" ? fitting : .protocolViolation
    }

    func invalid(_ text: String) -> ErrorReply {
        error(.syntaxError, "invalid command '\(text)', use SHOW HELP;")
    }

    var adminNeeded: ErrorReply {
        error("42501", "admin access needed", hint: "Name the user in admin_users.")
    }

    /// Of SHOW FDS, by which one PgBouncer hands its sockets to the next.
    var socketsStay: ErrorReply {
        error(
            .featureNotSupported, "SHOW FDS is not supported: sockets are not handed over",
            hint: "Use SHOW SOCKETS to look at them. To replace the process without an error for "
                + "any client, start the new one on another port, and send the old one SHUTDOWN "
                + "WAIT_FOR_CLIENTS.")
    }

    var badArguments: ErrorReply { error(.syntaxError, "bad arguments") }

    /// A database of ours that `verb` may be done to.
    func check(_ database: String, _ verb: String) throws(ErrorReply) {
        guard !Steward.ownNames.contains(database) else {
            throw error(.featureNotSupported, "cannot \(verb) admin db: \(database)")
        }
        let settings = service.settings
        let isKnown =
            settings.databases[database] != nil || settings.wildcardDatabase != nil
            || settings.destination(database: database, user: "") != nil
            || service.pools.contains { $0.database == database }
        guard isKnown else { throw error(.invalidDatabase, "no such database: \(database)") }
    }

    func named(_ database: String?, _ verb: String) throws(ErrorReply) -> String {
        guard let database else { throw error(.syntaxError, "a database is required") }
        try check(database, verb)
        return database
    }
}
