import MailModel
import Testing

@Suite struct EventIDTests {
    private func account(_ user: String, inbox: String = "primary") throws -> AccountKey {
        AccountKey(user: try UserID(user), provider: .google, inbox: try InboxID(inbox))
    }
}
