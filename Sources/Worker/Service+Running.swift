public import EventLoop

extension Service {
    /// Runs worker `index` on this thread until it is told to stop, with `sockets` to listen on.
    ///
    /// Here, where the loop's type is known, the compiler makes a Worker of its own for it: one
    /// that calls the loop directly and keeps its fields at fixed places.
    public func runWorker(
        _ index: UInt8, loop: consuming IOUringLoop, mailbox: Mailbox<Mail>,
        listeningOn sockets: [(socket: Int32, isUnix: Bool)]
    ) {
        var worker = Worker(index: index, service: self, loop: loop, mailbox: mailbox)
        for socket in sockets { worker.listen(on: socket.socket, isUnix: socket.isUnix) }
        worker.run()
    }
}
