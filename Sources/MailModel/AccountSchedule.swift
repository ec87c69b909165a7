/// How often a user wants an account to be polled, in place of what the service does by itself.
public struct AccountSchedule: Sendable, Hashable {
    /// No account or folder may be polled more, or less, often than this.
    public static let bounds: ClosedRange<Duration> = .seconds(30)...(.seconds(86_400))
    /// Folders with an interval of their own, at most.
    public static let foldersMax = 100

    /// Between two passes; nil: what the service does by itself.
    public var interval: Duration?
    /// Between two looks into single folders, by their label (`INBOX`, `Projects/2026`). Only where mailboxes have folders.
    public var folders: [String: Duration]

    public init(interval: Duration? = nil, folders: [String: Duration] = [:]) {
        self.interval = interval
        self.folders = folders
    }

    /// Says nothing.
    public var isEmpty: Bool { interval == nil && folders.isEmpty }
}

/// How often the folders of a mailbox are asked for changes, where mailboxes have folders. Pure.
public struct FolderSchedule: Sendable, Hashable {
    /// What a folder is for, as far as that decides how often it is asked.
    public enum Role: Sendable, Hashable, CaseIterable {
        case inbox, sent, drafts, archive, other
    }

    /// An interval, and whether somebody asked for it: then it is never exceeded.
    private struct Interval: Sendable, Hashable {
        var duration: Duration
        var isPromised: Bool
    }

    /// How long a folder that told of a change is asked twice as often.
    public static let activeFor = Duration.seconds(1800)
    /// A folder is quiet when it told nothing for so many of its intervals.
    public static let quietAfterIntervals: Int64 = 10
    /// Even a quiet folder is asked so often.
    public static let longest = Duration.seconds(86_400)
    /// Activity makes no interval shorter than this.
    public static let shortestWhenActive = Duration.seconds(10)

    private var roles: [Role: Interval]
    private var named: [String: Interval] = [:]

    /// The inbox every 5 minutes, what was sent and drafts every 15, archives daily, the rest every 30 minutes.
    public static let standard = FolderSchedule(
        roles: [.inbox: 300, .sent: 900, .drafts: 900, .archive: 86_400, .other: 1800].mapValues {
            Interval(duration: .seconds($0), isPromised: false)
        })

    /// All folders at one interval, which is never exceeded.
    public static func every(_ interval: Duration) -> FolderSchedule {
        FolderSchedule(
            roles: Dictionary(
                uniqueKeysWithValues: Role.allCases.map { ($0, Interval(duration: interval, isPromised: true)) }))
    }

    private init(roles: [Role: Interval]) { self.roles = roles }

    /// With what the user wants of the account.
    public func applying(_ own: AccountSchedule?) -> FolderSchedule {
        guard let own else { return self }
        var schedule = own.interval.map(FolderSchedule.every) ?? self
        for (label, interval) in own.folders { schedule.named[label] = Interval(duration: interval, isPromised: true) }
        return schedule
    }

    /// The shortest interval of any folder: so often the account has to be looked at.
    public var shortest: Duration {
        (Array(roles.values) + Array(named.values)).map(\.duration).min() ?? Self.longest
    }

    /// Whether a folder is to be asked now.
    ///
    /// - Parameters:
    ///   - label: the folder's label.
    ///   - checkedAt: when it was last read to its end, in Unix milliseconds; nil: never.
    ///   - changedAt: when it last told of a change, in Unix milliseconds; nil: not known.
    public func isDue(_ role: Role, label: String, checkedAt: Int64?, changedAt: Int64?, at now: Int64) -> Bool {
        guard let checkedAt else { return true }
        let wait = interval(role, label: label, changedAt: changedAt, at: now).milliseconds
        let step = shortest.milliseconds
        // The account is looked at in steps of the shortest interval: the nearest step counts. A clock that was set back
        // makes nobody wait.
        return wait <= step || now < checkedAt || now - checkedAt >= wait - step / 2
    }

    /// How long a folder rests between two looks: half as long after a change, twice as long in quiet.
    public func interval(_ role: Role, label: String, changedAt: Int64?, at now: Int64) -> Duration {
        guard let usual = named[label] ?? roles[role] else { return Self.longest }
        let quietFor = changedAt.map { max(0, now - $0) } ?? .max
        if quietFor < Self.activeFor.milliseconds {
            return max(usual.duration / 2, min(usual.duration, Self.shortestWhenActive))
        }
        let isQuiet = quietFor / Self.quietAfterIntervals >= usual.duration.milliseconds
        guard isQuiet, !usual.isPromised else { return usual.duration }
        return max(usual.duration, min(usual.duration * 2, Self.longest))
    }
}
