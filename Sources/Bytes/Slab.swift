// Where connections live: fixed places that never move, reached by slot and generation.

/// Places for up to `capacity` values that are reached by number and never move.
///
/// A copy of this value is a second name for the same places, so that a caller can hold one place
/// while it calls methods of whoever owns the slab. Not for two threads at once: each place has
/// one owner at a time, and who that is the table's owner decides.
@safe public struct Slab<Element: ~Copyable>: @unchecked Sendable {
    // Safe: the memory lives as long as the process (slabs belong to workers, which never end
    // before it); `subscript` checks the bounds and that the place is taken.
    @usableFromInline let base: UnsafeMutablePointer<Element>
    @usableFromInline let taken: UnsafeMutablePointer<Bool>
    public let capacity: Int

    /// Reserves address space; the kernel gives memory place by place when it is first used.
    public init(capacity: Int) {
        precondition(capacity > 0)
        self.capacity = capacity
        unsafe base = .allocate(capacity: capacity)
        unsafe taken = .allocate(capacity: capacity)
        unsafe taken.initialize(repeating: false, count: capacity)
    }

    @inlinable public func isTaken(_ slot: Int) -> Bool {
        precondition(slot >= 0 && slot < capacity)
        return unsafe taken[slot]
    }

    /// Puts `element` into the empty place `slot`.
    public func fill(_ slot: Int, with element: consuming Element) {
        precondition(!isTaken(slot), "slot \(slot) is taken")
        unsafe (base + slot).initialize(to: element)
        unsafe taken[slot] = true
    }

    /// Takes the value out of `slot`, which is empty then.
    public func empty(_ slot: Int) -> Element {
        precondition(isTaken(slot), "slot \(slot) is empty")
        unsafe taken[slot] = false
        return unsafe (base + slot).move()
    }

    /// The value in `slot`, in place.
    @inlinable public subscript(_ slot: Int) -> Element {
        unsafeAddress {
            precondition(slot >= 0 && slot < capacity)
            precondition(unsafe taken[slot], "slot is empty")
            return unsafe UnsafePointer(base + slot)
        }
        nonmutating unsafeMutableAddress {
            precondition(slot >= 0 && slot < capacity)
            precondition(unsafe taken[slot], "slot is empty")
            return unsafe base + slot
        }
    }
}

/// Which slots of a slab are free, and the generation of each, so that a stale handle is noticed.
public struct SlotAllocator: Sendable {
    private var free: [UInt32] = []
    @usableFromInline var generations: [UInt32] = []
    private let capacity: Int
    public private(set) var takenCount = 0

    public init(capacity: Int) { self.capacity = capacity }

    /// No slot from here on was ever taken.
    public var highestCount: Int { generations.count }

    /// A free slot with its new generation, or nil when all are taken. Lowest fresh slots first.
    public mutating func take() -> (slot: Int, generation: UInt32)? {
        if let slot = free.popLast() {
            takenCount += 1
            return (Int(slot), generations[Int(slot)])
        }
        guard generations.count < capacity else { return nil }
        generations.append(1)
        takenCount += 1
        return (generations.count - 1, 1)
    }

    /// Gives `slot` back. Handles that name it are stale from now on.
    public mutating func give(back slot: Int) {
        generations[slot] = generations[slot] == .max ? 1 : generations[slot] + 1
        free.append(UInt32(slot))
        takenCount -= 1
    }

    /// Whether `generation` is the one that holds `slot` now, or held it last.
    @inlinable public func isCurrent(slot: Int, generation: UInt32) -> Bool {
        slot >= 0 && slot < generations.count && generations[slot] == generation
    }
}
