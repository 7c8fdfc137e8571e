// SET on the console: one key changed while the process runs, until the next RELOAD.

internal import Worker

/// Why SET changed nothing.
public struct SettingRefusal: Error, Equatable, Sendable {
    /// Begins with the key.
    public let reason: String
    /// What to do instead; nil when the reason says it.
    public let hint: String?

    public init(reason: String, hint: String? = nil) {
        self.reason = reason
        self.hint = hint
    }
}

extension LoadedConfiguration {
    /// The same configuration with one key of the service changed; `value` as it would stand in
    /// pgbouncer.ini. The file keeps what it has. Reads `auth_file` again.
    public func setting(
        _ name: String, to value: String
    ) throws(SettingRefusal) -> LoadedConfiguration {
        let slot = try changeableSlot(name)
        var draft = draft
        do throws(Complaint) {
            try slot.read(.bare(value), Place(directory: directory), &draft)
        } catch {
            throw SettingRefusal(reason: "\(name): \(error.message)")
        }
        var interpreter = Interpreter(
            ParsedFile(), format: format, file: "SET", directory: directory)
        interpreter.draft = draft
        interpreter.databases = draft.settings.databases
        interpreter.databases["*"] = draft.settings.wildcardDatabase
        interpreter.users = draft.settings.users
        interpreter.finish()
        if let problem = interpreter.problems.first {
            let subject = problem.key ?? problem.file
            throw SettingRefusal(reason: "\(subject): \(problem.message)")
        }
        return LoadedConfiguration(
            warnings: warnings, draft: interpreter.draft, format: format, directory: directory)
    }

    private func changeableSlot(_ name: String) throws(SettingRefusal) -> Slot<Draft> {
        guard let key = SettingKey.named(name, in: .service) else {
            let known = SettingKey.all.filter { $0.section == .service }.map(\.name)
            let guess = nearest(to: name, among: known).map { "; did you mean \($0)?" } ?? ""
            throw SettingRefusal(
                reason: "\(name): unknown key\(guess)", hint: "SHOW CONFIG lists all keys.")
        }
        guard case .draft(let slot) = key.landing else {
            throw SettingRefusal(reason: "\(name): \(key.meaning)")
        }
        guard key.isChangeable else {
            throw SettingRefusal(
                reason: "\(name): read at the start only",
                hint: "Change it in the configuration file, and start pgweir again.")
        }
        return slot
    }
}
