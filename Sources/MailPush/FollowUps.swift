import MailModel

/// Looks that follow announcements after a fixed time. A value; times are Unix milliseconds.
///
/// Google announces a mailbox once a second at most and drops what comes in between
/// (https://developers.google.com/workspace/gmail/api/guides/push): a message that arrives right behind another one is
/// announced by nobody. It is in the mailbox by the time of the follow-up.
struct FollowUps: Sendable {
    private var queue: [(key: AccountKey, at: Int64)] = []
    /// The first of the queue that was not taken.
    private var start = 0
    private var latest: [AccountKey: Int64] = [:]

    /// How many accounts have one.
    var count: Int { latest.count }

    /// When the first is due, or earlier.
    var nextAt: Int64? { start < queue.count ? queue[start].at : nil }

    /// A look at the account is due then, in place of an earlier one: what that would find, the pass of this
    /// announcement finds. Times must not go back.
    mutating func add(_ key: AccountKey, at due: Int64) {
        guard latest.updateValue(due, forKey: key) != due else { return }
        queue.append((key, due))
    }

    /// Takes the accounts that are due.
    mutating func take(at now: Int64) -> [AccountKey] {
        var due: [AccountKey] = []
        while start < queue.count, queue[start].at <= now {
            let (key, at) = queue[start]
            start += 1
            guard latest[key] == at else { continue }
            latest[key] = nil
            due.append(key)
        }
        if start > queue.count / 2 {
            queue.removeFirst(start)
            start = 0
        }
        return due
    }
}
