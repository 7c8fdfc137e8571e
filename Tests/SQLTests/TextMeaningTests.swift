internal import Bytes
import Testing

@testable import SQL

@Suite struct TextMeaningTests {
    private func meaning(_ text: String) -> TextMeaning {
        let bytes = Array("(\(text))".utf8)
        return bytes.withRawSpan { TextMeaning($0, in: 1..<bytes.count - 1) }
    }

    @Test(arguments: [
        "", "select 1", "select $1, $22::int from \"A b\" where n = 1.5e3 -- why",
        "select now(), current_date from today", "select a = $1 from t where b is null",
    ])
    func `without strings it is the same everywhere`(text: String) {
        #expect(meaning(text) == .constant)
    }

    @Test(arguments: [
        "select '1'", "select $$a$$", "select $a$x$a$", "select E'a'", "select U&'a'", "select '",
        "select ä", "select a$", "select 'known', now(), snow, nowhere, today_1, 'yesterdays'",
        "select now(''), 'x'", "select 1 where a = NULL", "select null\n= a", "select a=null",
    ])
    func `a string may depend on settings`(text: String) {
        #expect(meaning(text) == .ofSettings)
    }

    @Test(arguments: [
        "select 'now'::timestamp", "select date 'TODAY'", "select $$yesterday$$::date",
        "select ' tomorrow allballs'::timestamptz", "select '' as now", "select E'\\n', today",
    ])
    func `and on the time at which it is read`(text: String) {
        #expect(meaning(text) == .ofMoment)
    }
}
