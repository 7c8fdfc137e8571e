internal import Bytes
internal import EventLoop
internal import Pooling

// Pools come with their first client; those of databases from `*` go when nobody needs them.

extension Service {
    /// The pool for `profile`, made when it is not there yet. `countsClient`: counts a client of
    /// it in the same step, so that nobody forgets the pool in between.
    func pool(for profile: PoolProfile, countsClient: Bool = false) -> Pool {
        directory.withLock { directory in
            let pool =
                directory[profile.database, profile.shard, profile.user]
                ?? directory.add(newest(profile), workerCount: workerCount)
            if countsClient { pool.state.withLock { $0.machine.clientCount += 1 } }
            return pool
        }
    }

    /// A worker may not have heard of the last reload, which has gone through the pools already.
    private func newest(_ profile: PoolProfile) -> PoolProfile {
        settings.profile(
            database: profile.database, user: profile.user, shard: profile.shard) ?? profile
    }

    /// All pools, by database and user.
    public var pools: [Pool] {
        directory.withLock { Array($0.pools.values) }.sorted {
            ($0.shownName, $0.user) < ($1.shownName, $1.user)
        }
    }

    /// Forgets a pool that came from `*`, if it is still unused. Whoever holds on to it finds it
    /// empty. Those of shards stay: clients that are counted in one of them use the others.
    func forget(_ pool: Pool, at now: Instant) {
        let settings = settings
        guard settings.databases[pool.database] == nil, pool.shard == nil else { return }
        directory.withLock { directory in
            guard directory[pool.database, pool.shard, pool.user] === pool else { return }
            let isUnused = pool.state.withLock {
                $0.isUnused(for: settings.wildcardIdleTimeout, at: now)
            }
            if isUnused { directory.remove(pool) }
        }
    }

    public var holds: Holds { directory.withLock { $0.holds } }

    /// Holds back exactly this from now on: idle servers of what is paused are closed, clients of
    /// what is not get theirs.
    public func hold(_ holds: Holds) {
        let now = MonotonicClock.now()
        let changes = directory.withLock { directory in
            directory.holds = holds
            return directory.pools.values.map { pool in
                let isPaused = holds.isPaused(pool.database)
                return (pool, pool.state.withLock { $0.pause(isPaused, at: now) })
            }
        }
        for (pool, change) in changes {
            if !change.closing.isEmpty { post(.close(change.closing), to: 0) }
            for (server, client) in change.grants {
                post(.granted(server, to: client), to: client.worker)
            }
            if change.isResumed { post(.open(pool), to: 0) }
        }
    }
}

/// What follows when a pool is paused or resumed.
private struct PauseChange {
    var closing: [ServerID] = []
    var grants: [(ServerID, ClientID)] = []
    var isResumed = false
}

extension PoolState {
    fileprivate mutating func pause(_ isPaused: Bool, at now: Instant) -> PauseChange {
        var change = PauseChange()
        let wasPaused = machine.isPaused
        machine.isPaused = isPaused
        if isPaused {
            change.closing = machine.takeAllIdle()
        } else if wasPaused {
            change.grants = machine.grantAfterResume(at: now)
            change.isResumed = true
        }
        return change
    }
}
