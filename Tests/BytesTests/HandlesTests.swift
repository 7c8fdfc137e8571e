import Bytes
import Testing

@Suite struct HandlesTests {
    @Test func `handles of other generations and workers differ`() {
        let client = ClientID(worker: 1, slot: 2, generation: 3)
        #expect(client == ClientID(worker: 1, slot: 2, generation: 3))
        #expect(client != ClientID(worker: 0, slot: 2, generation: 3))
        #expect(client != ClientID(worker: 1, slot: 2, generation: 4))
        #expect(ServerID(slot: 2, generation: 3) != ServerID(slot: 2, generation: 4))
        #expect(PoolID(number: 1) < PoolID(number: 2))
    }
}
