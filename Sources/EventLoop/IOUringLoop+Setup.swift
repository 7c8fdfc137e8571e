// Making the ring, and refusing kernels that lack what we rely on.

internal import CURing
internal import Glibc

extension IOUringLoop {
    /// A ring that is ready for use. The caller owns it.
    static func makeRing(
        _ settings: IOUringSettings, _ buffers: borrowing ReceiveBuffers
    ) throws(EventLoopError) -> UnsafeMutablePointer<io_uring> {
        // Safe: all zero bytes are a valid io_uring and io_uring_params.
        let ring = UnsafeMutablePointer<io_uring>.allocate(capacity: 1)
        unsafe ring.initialize(to: io_uring())
        var parameters = io_uring_params()
        parameters.flags = curing_setup_flags
        parameters.cq_entries = settings.completionCount
        let result = unsafe io_uring_queue_init_params(
            settings.submissionCount, ring, &parameters)
        guard result == 0 else {
            unsafe ring.deallocate()
            throw .explaining("io_uring_setup", errno: -result)
        }
        do throws(EventLoopError) {
            try unsafe checkFeatures(of: ring)
            // Entered by its index among this thread's registered rings, which is cheaper.
            let registered = unsafe io_uring_register_ring_fd(ring)
            guard registered == 1 else {
                throw .explaining("io_uring_register_ring_fd", errno: -registered)
            }
            try unsafe buffers.register(with: ring)
        } catch {
            unsafe io_uring_queue_exit(ring)
            unsafe ring.deallocate()
            throw error
        }
        unsafe curing_prepare(ring)
        return unsafe ring
    }

    /// That the kernel has each feature and operation that this module uses.
    static func checkFeatures(
        of ring: UnsafeMutablePointer<io_uring>
    ) throws(EventLoopError) {
        let features: [(bit: UInt32, name: String, since: String)] = [
            (1 << 1, "IORING_FEAT_NODROP", "5.5"),
            (1 << 2, "IORING_FEAT_SUBMIT_STABLE", "5.5"),
            (1 << 8, "IORING_FEAT_EXT_ARG", "5.11"),
            (1 << 11, "IORING_FEAT_CQE_SKIP", "5.17"),
        ]
        for feature in features {
            guard unsafe ring.pointee.features & feature.bit != 0 else {
                throw .missing(feature.name, since: feature.since)
            }
        }
        guard let probe = unsafe io_uring_get_probe_ring(ring) else {
            throw .missing("IORING_REGISTER_PROBE", since: "5.6")
        }
        defer { unsafe io_uring_free_probe(probe) }
        let operations: [(code: Int32, name: String, since: String)] = [
            (6, "IORING_OP_POLL_ADD", "5.1"),
            (13, "IORING_OP_ACCEPT", "5.5"),
            (14, "IORING_OP_ASYNC_CANCEL", "5.5"),
            (16, "IORING_OP_CONNECT", "5.5"),
            (19, "IORING_OP_CLOSE", "5.6"),
            (27, "IORING_OP_RECV", "5.6"),
            // Nothing announces multishot receives; they came together with this operation.
            (47, "IORING_OP_SEND_ZC (and with it multishot receives)", "6.0"),
        ]
        for operation in operations {
            guard unsafe io_uring_opcode_supported(probe, operation.code) != 0 else {
                throw .missing(operation.name, since: operation.since)
            }
        }
    }
}
