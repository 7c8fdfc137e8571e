/// The names that one source file declares. Found by the words before them, which is enough to
/// notice that a page speaks of something that has gone.
struct Declarations: Sendable {
    let path: String
    /// Declared or extended here.
    private(set) var types: Set<String> = []
    private(set) var members: Set<String> = []

    private static let typeWords: Set<String> = [
        "struct", "class", "enum", "protocol", "extension", "typealias",
    ]
    private static let memberWords: Set<String> = ["func", "var", "let"]

    init(_ file: Repository.File) {
        path = file.path
        for line in file.lines where !line.drop(while: \.isWhitespace).hasPrefix("//") {
            let words = line.split { !$0.isLetter && !$0.isNumber && $0 != "_" }.map(String.init)
            if words.first == "case" { members.formUnion(words.dropFirst()) }
            for (word, name) in zip(words, words.dropFirst()) {
                if Self.typeWords.contains(word) { types.insert(name) }
                if Self.memberWords.contains(word) { members.insert(name) }
            }
        }
    }

    func contains(_ name: some StringProtocol) -> Bool {
        types.contains(String(name)) || members.contains(String(name))
    }
}
