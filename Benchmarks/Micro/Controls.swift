/// What is known to cost one allocation, or one retain: if it is not counted, nothing is proven by
/// counting none elsewhere.
enum Controls {
    private final class Node {
        let number: UInt64

        init(_ number: UInt64) { self.number = number }
    }

    /// An object is made, in the place of one that goes.
    static func allocation(_ count: Int) -> UInt64 {
        var nodes = [Node(0), Node(0)]
        for index in 0..<count { nodes[index & 1] = Node(UInt64(index)) }
        return nodes[0].number &+ nodes[1].number
    }

    /// A reference to an object takes the place of one to another.
    static func retain(_ count: Int) -> UInt64 {
        let nodes = [Node(1), Node(2)]
        var places = nodes
        for index in 0..<count { places[index & 1] = nodes[(index >> 1) & 1] }
        return places[0].number &+ places[1].number
    }
}
