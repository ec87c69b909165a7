import MailModel

/// Whose turn it is: first come, first served, every user at most once, none that is having its turn.
struct DispatchSchedule: Sendable {
    private var ready: [UserID] = []
    private var head = 0
    private var waiting: Set<UserID> = []
    private var active: Set<UserID> = []
    /// Woken during their turn: another one follows.
    private var again: Set<UserID> = []
    private var delayed: Set<UserID> = []

    var readyCount: Int { ready.count - head }
    var activeCount: Int { active.count }
    var delayedCount: Int { delayed.count }

    /// The user may have something to publish. A back-off goes on: what waits comes after what is unknown.
    mutating func wake(_ user: UserID) {
        if active.contains(user) {
            again.insert(user)
        } else if !delayed.contains(user) {
            enqueue(user)
        }
    }

    /// The user whose turn begins now; nil when nobody waits or `max` users have their turn.
    mutating func take(max: Int) -> UserID? {
        guard active.count < max, head < ready.count else { return nil }
        let user = ready[head]
        head += 1
        if head == ready.count || head > 4_096 {
            ready.removeFirst(head)
            head = 0
        }
        waiting.remove(user)
        active.insert(user)
        return user
    }

    /// A turn ended; `more` puts the user at the end of the queue.
    mutating func finish(_ user: UserID, more: Bool) {
        active.remove(user)
        if again.remove(user) != nil || more { enqueue(user) }
    }

    /// A turn ended and the next one is not before ``release(_:)``.
    mutating func delay(_ user: UserID) {
        active.remove(user)
        again.remove(user)
        delayed.insert(user)
    }

    /// The user has a turn now.
    func isActive(_ user: UserID) -> Bool { active.contains(user) }

    /// The user's back-off is over.
    mutating func release(_ user: UserID) {
        if delayed.remove(user) != nil { enqueue(user) }
    }

    /// Ends all back-offs.
    mutating func releaseAll() {
        let users = delayed
        delayed = []
        for user in users { enqueue(user) }
    }

    private mutating func enqueue(_ user: UserID) {
        if waiting.insert(user).inserted { ready.append(user) }
    }
}
