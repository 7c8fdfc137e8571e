import Bytes
import Routing
import Sharding
import Testing
import Wire

@Suite struct LookupTests {
    private func heard(_ write: (inout ByteBuffer) -> Void) -> [LookupAnswer]? {
        var conversation = LookupConversation()
        var buffer = ByteBuffer()
        ServerMessages.authenticationOk(to: &buffer)
        ServerMessages.readyForQuery(.idle, to: &buffer)
        write(&buffer)
        var answers: [LookupAnswer] = []
        // Every cut: one byte more each time.
        var held = ByteBuffer()
        for offset in 0..<buffer.count {
            held.append(buffer.bytes.extracting(offset..<offset + 1))
            var used = 0
            guard let more = conversation.received(held.bytes, from: &used) else { return nil }
            answers += more
            held.consume(used)
        }
        return answers
    }

    private func row(_ columns: [String?], _ buffer: inout ByteBuffer) {
        buffer.appendMessage(ServerTag.dataRow) {
            $0.append(bigEndian: UInt16(columns.count))
            for column in columns {
                $0.append(bigEndian: UInt32(bitPattern: Int32(column?.utf8.count ?? -1)))
                if let column { $0.append(utf8: column) }
            }
        }
    }

    @Test func `answers come in the order of the questions`() {
        let answers = heard { buffer in
            row(["s1"], &buffer)
            ServerMessages.readyForQuery(.idle, to: &buffer)
            ServerMessages.readyForQuery(.idle, to: &buffer)
            row(["s2"], &buffer)
            ServerMessages.readyForQuery(.idle, to: &buffer)
        }
        #expect(answers == [.shard("s1"), .shard(nil), .shard("s2")])
    }

    @Test func `what is no name of a shard is said`() {
        let answers = heard { buffer in
            row(["s1"], &buffer)
            row(["s2"], &buffer)
            ServerMessages.readyForQuery(.idle, to: &buffer)
            row(["s1", "s2"], &buffer)
            ServerMessages.readyForQuery(.idle, to: &buffer)
            row([nil], &buffer)
            ServerMessages.readyForQuery(.idle, to: &buffer)
            ErrorReply(.error, .syntaxError, "no").write(to: &buffer)
            ServerMessages.readyForQuery(.idle, to: &buffer)
        }
        #expect(
            answers == [
                .failed("lookup_query gave more than one row"),
                .failed("lookup_query gave 2 columns instead of one"),
                .failed("lookup_query gave NULL"), .failed("lookup_query failed: no"),
            ])
    }

    @Test func `a FATAL ends the conversation`() {
        let answers = heard { ErrorReply.fatal(.adminShutdown, "the end").write(to: &$0) }
        #expect(answers == nil)
    }

    @Test func `answers are kept for their lifetime, up to their number, until a reload`() {
        var cache = LookupCache()
        var settings = LookupSettings()
        settings.cacheCountMax = 2
        settings.cacheLifetime = .seconds(5)
        let start = Instant(nanoseconds: 1_000_000_000)
        let question = cache.question("m", [.integer(1)])
        #expect(cache.shard(question, settings, at: start) == nil)
        cache.keep("s1", question, settings, at: start)
        #expect(cache.shard(question, settings, at: start + .seconds(4)) == "s1")
        #expect(cache.shard(question, settings, at: start + .seconds(5)) == nil)
        #expect(cache.shard(cache.question("other", [.integer(1)]), settings, at: start) == nil)
        for key in 2..<9 {
            cache.keep("s2", cache.question("m", [.integer(Int64(key))]), settings, at: start)
        }
        #expect(cache.count == 2)
        cache.removeAll()
        cache.keep("s1", question, settings, at: start)
        #expect(cache.count == 0)
    }
}
