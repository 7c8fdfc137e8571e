internal import Bytes
internal import SQL
public import Session
public import Sharding
internal import Wire

/// Reads a client's messages for where they belong. One for each worker and map, because it keeps
/// the plans that it has made.
///
/// Never wrong, rather than never in the way: what it cannot prove to concern one shard is refused.
public final class MessageRouter {
    public let router: Router
    private let reader: Box<StatementRouter>
    /// By statement: the parameters that decide where it goes.
    private var parameterNumbers: [UInt64: [Int]] = [:]
    private let learnt = Box(KeyParameters())
    private var definition = ByteBuffer()

    /// Longer messages are routed by a hint of the session only.
    public static let messageByteCountMax = 1 << 20
    private static let statementsMax = 10_000

    public init(_ router: Router) {
        self.router = router
        reader = Box(StatementRouter(router))
    }

    var statements: StatementRouter {
        @inline(__always) _read { yield reader.value }
        @inline(__always) _modify { yield &reader.value }
    }

    var keyParameters: KeyParameters {
        @inline(__always) _read { yield learnt.value }
        @inline(__always) _modify { yield &learnt.value }
    }

    /// The shard that pgcat's SET SHARD or our pgweir.shard names: by name, or by number from 0.
    func shard(_ name: String) -> Result<KeyHint?, Refusal> {
        if name.lowercased() == "any" { return .success(nil) }
        if let number = Int(name), router.map.shards.indices.contains(number) {
            return .success(.shard(router.map.shards[number]))
        }
        return KeyHint.shard(name).map { $0 }
    }

    /// Where the message at `offset` ends, and whether its body may say where it belongs; nil = its
    /// header is not all there.
    public static func message(
        in bytes: borrowing RawSpan, at offset: Int
    ) -> (end: Int, isStatement: Bool, isSync: Bool)? {
        guard bytes.byteCount - offset >= FramePiece.headerByteCount else { return nil }
        // Of a broken one, whoever passes it on says what is wrong.
        guard let message = Message(bytes, at: offset) else {
            return (bytes.byteCount, false, false)
        }
        return (message.end, message.isStatement, message.tag == ClientTag.sync)
    }

    /// A Parse in the messages that are being surveyed.
    struct Parsed {
        let name: Range<Int>
        let definition: Range<Int>
        /// Where its executions go, if its like was seen before.
        var recognised: RecognisedRoute?

        func text(_ bytes: borrowing RawSpan) -> Range<Int> {
            let end = bytes.firstOffset(of: 0, in: definition) ?? definition.upperBound
            return definition.lowerBound..<end
        }
    }

    /// Surveys the complete messages of `bytes` from `offset` on, where one begins.
    public func survey(
        _ bytes: borrowing RawSpan, from offset: Int, _ route: borrowing ClientRoute,
        _ session: borrowing ClientSession, _ store: any StatementStore
    ) -> Survey {
        var survey = Survey(from: offset)
        var parsed: [Parsed] = []
        var hasFlush = false
        // Whether what has come is used up.
        var isAtEnd = true
        while survey.end < bytes.byteCount {
            let start = survey.end
            guard let message = Message(bytes, at: start) else {
                isAtEnd = bytes.byteCount - start < FramePiece.headerByteCount
                // Of a broken one, whoever passes it on says what is wrong.
                if !isAtEnd, survey.messageCount == 0 {
                    survey.end = bytes.byteCount
                    survey.messageCount = 1
                }
                break
            }
            isAtEnd = false
            let isStatement = message.isStatement
            if message.tag == ClientTag.query || message.tag == ClientTag.functionCall,
                survey.messageCount > 0
            {
                break
            }
            guard message.isWhole || !isStatement else {
                isAtEnd = true
                if survey.messageCount == 0 {
                    survey.target = partial(message, route)
                    survey.tag = message.tag
                    survey.end = message.end
                }
                break
            }
            if !message.isWhole, survey.messageCount > 0, message.isOfBatch {
                isAtEnd = true
                break
            }
            survey.lastStart = start
            survey.end = message.end
            survey.messageCount += 1
            survey.tag = message.tag
            if isStatement {
                read(message, bytes, &survey, &parsed, route, session, store)
                guard case .none = survey.target, survey.effect == nil else { break }
            } else if message.tag == ClientTag.sync || !message.isOfBatch || !message.isWhole {
                break
            }
            if message.tag == ClientTag.flush { hasFlush = true }
            isAtEnd = true
        }
        survey.isOpenEnded = isAtEnd && !hasFlush
        if survey.messageCount == 0, case .none = survey.target { survey.target = .incomplete }
        return survey
    }

    /// A statement that is not all there.
    private func partial(_ message: Message, _ route: borrowing ClientRoute) -> Survey.Target {
        guard message.body.count > Self.messageByteCountMax else { return .incomplete }
        if let hinted = route.hinted { return target(hinted) }
        return .refused(
            Refusal(
                "the message is too long to be routed",
                detail: "It has \(message.body.count) bytes; at most "
                    + "\(Self.messageByteCountMax) are read for a key.",
                hint: "Say where it belongs by SET pgweir.key or SET pgweir.shard."))
    }

    private func read(
        _ message: Message, _ bytes: borrowing RawSpan, _ survey: inout Survey,
        _ parsed: inout [Parsed], _ route: borrowing ClientRoute,
        _ session: borrowing ClientSession, _ store: any StatementStore
    ) {
        switch message.tag {
        case ClientTag.query:
            let textEnd = bytes.firstOffset(of: 0, in: message.body) ?? message.body.upperBound
            // What stands behind the zero is an error, which the server finds.
            guard textEnd + 1 == message.body.upperBound else {
                survey.target = .anyShard
                return
            }
            let text = message.body.lowerBound..<textEnd
            if !route.isHinted {
                switch statements.recognise(bytes, in: text) {
                case .shard(let shard)?:
                    survey.target = .shard(shard)
                    return
                case .anyShard?:
                    survey.target = .anyShard
                    return
                case .parameter?, nil: break
                }
            }
            judge(
                bytes, text, [:], isQuery: true, Context(session, route), route, &survey)
        case ClientTag.parse:
            guard var parse = Self.parse(message, bytes) else { return }
            let text = parse.text(bytes)
            parse.recognised = statements.recognise(bytes, in: text)
            parsed.append(parse)
            // What is recognised is no statement of ours.
            guard parse.recognised == nil else { return }
            replace(bytes, text, message, parse, Context(session, route), route, &survey)
        case ClientTag.bind:
            bind(message, bytes, &survey, parsed, Context(session, route), route, session, store)
        case ClientTag.functionCall:
            survey.target = route.hinted.map(target) ?? .refused(Self.functionCall)
        default: break
        }
    }

    private static let functionCall = Refusal(
        "a function that is called by its number has no shard",
        detail: "The message FunctionCall names no function that could be looked at.",
        hint: "Call it by SELECT, or say where it belongs by SET pgweir.shard.")

    static func parse(_ message: Message, _ bytes: borrowing RawSpan) -> Parsed? {
        guard let nameEnd = bytes.firstOffset(of: 0, in: message.body) else { return nil }
        return Parsed(
            name: message.body.lowerBound..<nameEnd,
            definition: nameEnd + 1..<message.body.upperBound)
    }

    // MARK: Statements

    /// A Bind: its statement stands among the messages before it, or is known.
    private func bind(
        _ message: Message, _ bytes: borrowing RawSpan, _ survey: inout Survey,
        _ parsed: [Parsed], _ context: Context, _ route: borrowing ClientRoute,
        _ session: borrowing ClientSession, _ store: any StatementStore
    ) {
        guard let bind = Bind(message, bytes) else { return }
        let isUsual = context.isUTF8 && context.isConforming && !route.isHinted
        for one in parsed.reversed()
        where bytes.extracting(one.name).equals(bytes.extracting(bind.name)) {
            if isUsual, let recognised = one.recognised,
                let found = self.route(recognised, one, bind, bytes, session)
            {
                return survey.take(found)
            }
            return judgeBind(
                bytes, one.definition, number: nil, bytes, bind.values, context, route, &survey)
        }
        guard let number = session.statement(named: bytes.extracting(bind.name)) else {
            // A long statement without a name is not kept; of others the server says that they are
            // not there.
            if bind.name.isEmpty {
                survey.target = route.hinted.map(target) ?? .refused(Self.forgotten)
            }
            return
        }
        if isUsual, let found = self.route(number, bind, bytes, session) {
            return survey.take(found)
        }
        var definition = ByteBuffer()
        swap(&definition, &self.definition)
        definition.removeAll()
        store.appendDefinition(of: number, to: &definition)
        if isUsual { learn(number, definition.bytes) }
        judgeBind(
            definition.bytes, 0..<definition.count, number: number, bytes, bind.values, context,
            route, &survey)
        swap(&definition, &self.definition)
    }

    /// Keeps what decides where the statement goes, so that its text need not be read again.
    private func learn(_ number: UInt64, _ definition: borrowing RawSpan) {
        guard keyParameters[number].statement != number,
            let textEnd = definition.firstOffset(of: 0, in: 0..<definition.byteCount)
        else { return }
        let types = ParameterTypes(definition, behind: textEnd, definition.byteCount)
        let key = statements.keyParameter(of: definition, in: 0..<textEnd)
        keyParameters.learn(
            KeyParameters.Keyed(
                statement: number, key: key, declared: key.map { types[$0.number] } ?? 0))
    }

    private static let forgotten = Refusal(
        "the statement without a name is not known",
        detail: "There is none, or it was longer than 16 KiB, which is not kept.",
        hint: "Give the statement a name, or say where it belongs by SET pgweir.key.")

    private func judgeBind(
        _ definitionBytes: borrowing RawSpan, _ definition: Range<Int>, number: UInt64?,
        _ bytes: borrowing RawSpan, _ values: Range<Int>, _ context: Context,
        _ route: borrowing ClientRoute, _ survey: inout Survey
    ) {
        let textEnd = definitionBytes.firstOffset(of: 0, in: definition) ?? definition.upperBound
        let text = definition.lowerBound..<textEnd
        if let change = HintChange(marked: definitionBytes, text) {
            survey.target = .hint(change)
            survey.effect = .hint(change)
            return
        }
        let numbers = parameters(definitionBytes, text, number: number, context, route)
        var bound: [Int: BoundParameter] = [:]
        if !numbers.isEmpty, let read = BoundValues(bytes, in: values) {
            let types = ParameterTypes(definitionBytes, behind: textEnd, definition.upperBound)
            for number in numbers where number <= read.count {
                bound[number] = BoundParameter(
                    bytes: read.range(number).map { bytes.extracting($0).array() },
                    isBinary: read.isBinary(number), declared: types[number])
            }
        }
        judge(definitionBytes, text, bound, isQuery: false, context, route, &survey)
    }

    private func parameters(
        _ bytes: borrowing RawSpan, _ text: Range<Int>, number: UInt64?, _ context: Context,
        _ route: borrowing ClientRoute
    ) -> [Int] {
        if route.isHinted { return [] }
        // In another encoding they may not be found.
        let number = context.isUTF8 && context.isConforming ? number : nil
        if let number, let known = parameterNumbers[number] { return known }
        let numbers = statements.parameters(
            of: bytes, in: text, isConforming: context.isConforming, isUTF8: context.isUTF8)
        if let number {
            if parameterNumbers.count >= Self.statementsMax { parameterNumbers.removeAll() }
            parameterNumbers[number] = numbers
        }
        return numbers
    }

    /// Where the statement in `text` of `bytes` goes, and what else routing has to know of it.
    private func judge(
        _ bytes: borrowing RawSpan, _ text: Range<Int>, _ parameters: [Int: BoundParameter],
        isQuery: Bool, _ context: Context, _ route: borrowing ClientRoute, _ survey: inout Survey
    ) {
        let command = SessionCommand.read(bytes, in: text, isConforming: context.isConforming)
        if isQuery, let replacement = answer(to: command, bytes, text, context, route) {
            survey.target = replacement
            if case .replaced(_, let change?) = replacement { survey.effect = .hint(change) }
            return
        }
        var values = ExecutionValues()
        values.parameters = parameters
        values.isUTF8 = context.isUTF8
        if router.isBySchema { values.searchPath = context.searchPath }
        let found = statements.route(
            bytes, in: text, values, isConforming: context.isConforming,
            hint: command.isAboutTransaction ? nil : route.hinted,
            learns: command == .other && HintChange(marked: bytes, text) == nil)
        if statements.dependsOnSettings, context.isInDoubt || survey.messageCount > 1 {
            survey.dependsOnAnswers = true
        }
        switch (command, found) {
        case (_, .refused(let refusal)):
            survey.target = .refused(refusal)
        case (.begin(let tag), .session):
            let string = bytes.string(in: text)
            if isQuery {
                survey.target = .begin(string, tag: tag)
            } else {
                survey.repeatable.append(Survey.Repeatable(string, survey.end, isBegin: true))
            }
        case (.end(let tag), .session), (.end(let tag), .shard):
            survey.target = isQuery ? .end(tag: tag) : .none
            survey.effect = .end
        case (.setSearchPath(let first), .session):
            if router.isBySchema {
                survey.effect = .path(first.map { .first($0) } ?? .unknown)
            }
            survey.repeatable.append(Survey.Repeatable(bytes.string(in: text), survey.end))
        case (.savepoint, .session), (.savepoint, .shard):
            survey.repeatable.append(Survey.Repeatable(bytes.string(in: text), survey.end))
        case (.rollbackTo, .session), (.rollbackTo, .shard):
            survey.effect = .rollbackTo
            survey.repeatable.append(Survey.Repeatable(bytes.string(in: text), survey.end))
        case (.chain, _):
            // What was set for one transaction is not for the next.
            survey.effect = .rollbackTo
            survey.target = .fixed
        case (.resetAll, _):
            survey.effect = .resetHints
            survey.target = .fixed
        case (.other, .session):
            if TextForm.isRepeatable(bytes, text) {
                survey.repeatable.append(Survey.Repeatable(bytes.string(in: text), survey.end))
            } else {
                survey.target = TextForm.isEmpty(bytes, text) ? .anyShard : .fixed
            }
        case (_, .anyShard) where isQuery && TextForm.hasSeveralStatements(bytes, text):
            // One of them may be BEGIN or SET.
            survey.target = .fixed
        case (_, let other):
            survey.target = target(other)
        }
        if isQuery, route.isChanged, TextForm.hasSeveralStatements(bytes, text) {
            // The transaction may end in the midst of it.
            survey.effect = .rollbackTo
        }
        // Of the extended protocol, what follows in the batch may say more.
        if isQuery, case .none = survey.target { survey.target = .anyShard }
        if !isQuery, case .anyShard = survey.target { survey.target = .none }
    }

    private func target(_ route: Route) -> Survey.Target {
        switch route {
        case .shard(let shard, _): .shard(shard)
        case .anyShard, .session: .anyShard
        case .lookup(let settings, let keys): .lookup(settings, keys)
        case .refused(let refusal): .refused(refusal)
        case .everyShard:
            .refused(
                Refusal(
                    "a statement for every shard is not carried out",
                    detail: "unkeyed_reads of map \(router.map.name) is scatter.",
                    hint: "Send it to each shard: /* pgweir: shard=NAME */."))
        }
    }
}

/// What of the client's session decides how its texts are read.
struct Context {
    let isConforming: Bool
    let isUTF8: Bool
    /// A SET is under way that may change these.
    let isInDoubt: Bool
    /// The first schema; nil = not known.
    let searchPath: String?

    init(_ session: borrowing ClientSession, _ route: borrowing ClientRoute) {
        isConforming = session.readsConformingStrings
        isUTF8 = session.isUTF8
        isInDoubt = session.isReadingInDoubt
        switch route.pathInTransaction {
        case .first(let schema): searchPath = schema
        case .unknown: searchPath = nil
        case nil: searchPath = route.router.router.isBySchema ? session.firstSchema : nil
        }
    }
}
