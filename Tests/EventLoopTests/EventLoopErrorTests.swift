import Glibc
import Testing

@testable import EventLoop

@Suite struct EventLoopErrorTests {
    @Test(arguments: [
        (EPERM, "kernel.io_uring_disabled"), (ENOSYS, "Linux 6.1"), (ENOMEM, "RLIMIT_MEMLOCK"),
        (EINVAL, "Linux 6.1"), (EMFILE, "LimitNOFILE"),
    ])
    func `each refusal says what would help`(_ code: Int32, _ hint: String) {
        let text = EventLoopError.explaining("io_uring_setup", errno: code).description
        #expect(text.contains("io_uring_setup failed"))
        #expect(text.contains("errno \(code)"))
        #expect(text.contains(hint))
    }

    @Test func `a missing operation is named with its kernel`() {
        let error = EventLoopError.missing("IORING_OP_RECV", since: "5.6")
        #expect(
            error.description
                == "this kernel's io_uring has no IORING_OP_RECV; use Linux 5.6 or newer")
    }
}
