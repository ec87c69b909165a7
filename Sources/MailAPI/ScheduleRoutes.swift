import Hummingbird
import MailModel
import MailSync

/// What `/mail/schedule` asks of the sync manager.
public protocol ScheduleCommands: Sendable {
    /// How often the user wants the account to be polled from now on; an empty schedule: as the service does by itself.
    func setSchedule(_ schedule: AccountSchedule, of key: AccountKey) async throws -> ScheduleOutcome
}

extension SyncManager: ScheduleCommands {}

/// `/mail/schedule`: how often users want their accounts to be polled.
struct ScheduleRoutes: Sendable {
    static let path = "/mail/schedule"

    let commands: any AccountCommands
    let schedules: any ScheduleCommands

    var all: [Route] { [.user(.get, Self.path, show), .user(.post, Self.path, set)] }

    @Sendable private func show(_ user: UserID, _ call: Route.Call) async throws -> Response {
        let reports = try await commands.accounts(of: user).filter { $0.key.user == user }
        return .json { json in
            json.key("accounts")
            json.array(reports) { json, report in
                json.object {
                    $0.schedule(report.schedule ?? AccountSchedule(), of: report.key, report.intervalSeconds)
                }
            }
        }
    }

    @Sendable private func set(_ user: UserID, _ call: Route.Call) async throws -> Response {
        let body = try call.decode(ScheduleBody.self)
        let key = AccountKey(user: user, provider: body.provider, inbox: body.inbox)
        switch try await schedules.setSchedule(body.schedule, of: key) {
        case .noAccount:
            throw APIProblem.notFound("no such account is connected; POST /mail/connect connects one")
        case .noFolders:
            throw APIProblem.field("folders", "is only for providers whose mailboxes have folders")
        case .set: break
        }
        let interval = try await commands.accounts(of: user).first { $0.key == key }?.intervalSeconds
        return .json { $0.schedule(body.schedule, of: key, interval) }
    }
}

/// The body of `POST /mail/schedule`.
private struct ScheduleBody: Decodable {
    /// Bytes of a folder's label.
    static let labelBytesMax = 2000

    let provider: ProviderKind
    let inbox: InboxID
    let schedule: AccountSchedule

    init(from decoder: any Decoder) throws {
        let fields = try RequestFields(decoder)
        provider = try fields.provider()
        inbox = try fields.optionalInbox() ?? .primary
        let bounds = AccountSchedule.bounds
        let seconds = bounds.lowerBound.milliseconds / 1000...bounds.upperBound.milliseconds / 1000
        let folders = try fields.optionalIntegers("folders", in: seconds)
        guard folders.count <= AccountSchedule.foldersMax else {
            throw APIProblem.field("folders", "has more than \(AccountSchedule.foldersMax) entries")
        }
        guard folders.keys.allSatisfy({ !$0.isEmpty && $0.utf8.count <= Self.labelBytesMax }) else {
            throw APIProblem.field("folders", "has a label that is empty or longer than \(Self.labelBytesMax) bytes")
        }
        schedule = AccountSchedule(
            interval: try fields.optionalInteger("interval_s", in: seconds).map { .seconds($0) },
            folders: folders.mapValues { .seconds($0) })
    }
}

extension JSONText {
    /// One account's schedule.
    fileprivate mutating func schedule(_ schedule: AccountSchedule, of key: AccountKey, _ polledEvery: Int64?) {
        field("provider", key.provider.apiName)
        field("inbox_id", key.inbox.raw)
        field("interval_s", schedule.interval.map { $0.milliseconds / 1000 })
        self.key("folders")
        object { json in
            for (label, interval) in schedule.folders.sorted(by: { $0.key < $1.key }) {
                json.field(label, interval.milliseconds / 1000)
            }
        }
        field("polled_every_s", polledEvery)
    }
}
