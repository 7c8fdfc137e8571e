import Bytes
import TestSupport
import Testing

@Suite struct SlabTests {
    private struct Item: ~Copyable {
        var number: Int
    }

    @Test func `values stay in their places`() {
        let slab = Slab<Item>(capacity: 3)
        slab.fill(2, with: Item(number: 7))
        slab.fill(0, with: Item(number: 5))
        #expect([0, 1, 2].map(slab.isTaken) == [true, false, true])
        slab[2].number += 1
        #expect(slab[2].number == 8)
        #expect(slab[0].number == 5)
        let item = slab.empty(2)
        #expect(item.number == 8)
        #expect(!slab.isTaken(2))
        slab.fill(2, with: Item(number: 1))
        #expect(slab[2].number == 1)
    }

    @Test func `a copy names the same places`() {
        let slab = Slab<Item>(capacity: 1)
        let same = slab
        same.fill(0, with: Item(number: 3))
        #expect(slab[0].number == 3)
        _ = slab.empty(0)
        #expect(!same.isTaken(0))
    }

    @Test func `what is emptied lives on where it was taken to`() {
        final class Counted {}
        let slab = Slab<Counted>(capacity: 1)
        var counted: Counted? = Counted()
        weak let seen = counted
        if let counted { slab.fill(0, with: counted) }
        counted = nil
        #expect(seen != nil)
        _ = slab.empty(0)
        #expect(seen == nil)
    }

    @Test func `an empty place stops the process`() async {
        await #expect(processExitsWith: .failure) {
            let slab = Slab<Int>(capacity: 1)
            print(slab[0])
        }
        await #expect(processExitsWith: .failure) {
            let slab = Slab<Int>(capacity: 1)
            slab.fill(0, with: 1)
            slab.fill(0, with: 2)
        }
    }
}

@Suite struct SlotAllocatorTests {
    private struct Slot: Equatable {
        let slot: Int
        let generation: UInt32
    }

    private func take(_ allocator: inout SlotAllocator) -> Slot? {
        allocator.take().map { Slot(slot: $0.slot, generation: $0.generation) }
    }

    @Test func `fresh slots come lowest first, until all are taken`() {
        var allocator = SlotAllocator(capacity: 2)
        #expect(take(&allocator) == Slot(slot: 0, generation: 1))
        #expect(take(&allocator) == Slot(slot: 1, generation: 1))
        #expect(take(&allocator) == nil)
        #expect(allocator.takenCount == 2)
    }

    @Test func `a slot comes back with another generation`() {
        var allocator = SlotAllocator(capacity: 2)
        _ = allocator.take()
        allocator.give(back: 0)
        #expect(allocator.takenCount == 0)
        #expect(take(&allocator) == Slot(slot: 0, generation: 2))
        #expect(!allocator.isCurrent(slot: 0, generation: 1))
        #expect(allocator.isCurrent(slot: 0, generation: 2))
    }

    @Test func `handles of no slot are stale`() {
        var allocator = SlotAllocator(capacity: 2)
        #expect(!allocator.isCurrent(slot: 0, generation: 1))
        _ = allocator.take()
        #expect(!allocator.isCurrent(slot: -1, generation: 1))
        #expect(!allocator.isCurrent(slot: 1, generation: 1))
        #expect(!allocator.isCurrent(slot: 0, generation: 0))
        allocator.give(back: 0)
        #expect(!allocator.isCurrent(slot: 0, generation: 1))
    }

    @Test(arguments: Seeds.suite(20))
    func `no slot is taken twice, and no handle comes again`(_ seed: UInt64) throws {
        var random = SeededRandom(seed: seed)
        var allocator = SlotAllocator(capacity: 8)
        var taken: [Slot] = []
        var seen: [Slot] = []
        for _ in 0..<300 {
            if taken.count < 8, Bool.random(using: &random) {
                let slot = try #require(take(&allocator))
                #expect(!taken.contains { $0.slot == slot.slot }, "SEED=\(seed)")
                #expect(!seen.contains(slot), "SEED=\(seed)")
                taken.append(slot)
                seen.append(slot)
            } else if !taken.isEmpty {
                let index = Int.random(in: 0..<taken.count, using: &random)
                allocator.give(back: taken.remove(at: index).slot)
            }
            #expect(allocator.takenCount == taken.count)
            for slot in seen {
                let isTaken = taken.contains(slot)
                let isCurrent = allocator.isCurrent(slot: slot.slot, generation: slot.generation)
                #expect(isCurrent == isTaken, "SEED=\(seed)")
            }
        }
    }
}
