import MailModel

/// Which users have rows to send, and in which order they are served: round-robin. A value; times are Unix
/// milliseconds.
struct ReadyUsers: Sendable {
    private var queue: [UserID] = []
    private var head = 0
    private var queued: Set<UserID> = []
    private var active: Set<UserID> = []
    /// Woken while being served: served again.
    private var wokenAgain: Set<UserID> = []
    private var delayed: [UserID: Int64] = [:]

    var activeCount: Int { active.count }
    var isIdle: Bool { active.isEmpty && queued.isEmpty && delayed.isEmpty }

    func isActive(_ user: UserID) -> Bool { active.contains(user) }

    /// The user has rows, or may have. A user that waits for a retry goes on waiting.
    mutating func wake(_ user: UserID) {
        if active.contains(user) {
            wokenAgain.insert(user)
        } else if delayed[user] == nil, queued.insert(user).inserted {
            queue.append(user)
        }
    }

    /// The next user to serve.
    mutating func next(at now: Int64) -> UserID? {
        releaseDue(at: now)
        guard head < queue.count else { return nil }
        let user = queue[head]
        head += 1
        if head > 1024, head * 2 > queue.count {
            queue.removeFirst(head)
            head = 0
        }
        queued.remove(user)
        active.insert(user)
        return user
    }

    /// The user was served. `retryAt`: it waits until then; else it is served again if it has more.
    mutating func served(_ user: UserID, hasMore: Bool, retryAt: Int64?) {
        active.remove(user)
        let woken = wokenAgain.remove(user) != nil
        if let retryAt {
            delayed[user] = retryAt
        } else if hasMore || woken {
            wake(user)
        }
    }

    /// A new connection: nobody waits any more.
    mutating func releaseAll() {
        let users = delayed.keys
        delayed = [:]
        for user in users { wake(user) }
    }

    /// When the next retry is due.
    var nextDue: Int64? { delayed.values.min() }

    private mutating func releaseDue(at now: Int64) {
        guard !delayed.isEmpty else { return }
        for (user, due) in delayed where due <= now {
            delayed[user] = nil
            wake(user)
        }
    }
}
