import MailModel
import Testing

/// The expected values are Python's: `uuid.uuid5(namespace, name)` with the length-prefixed parts as the name.
@Suite struct EventIDTests {
    private func make(
        _ generation: Int64, _ user: String, _ inbox: String, _ message: String, _ type: String, _ revision: Int64
    ) throws -> String {
        let account = AccountKey(user: try UserID(user), provider: .google, inbox: try InboxID(inbox))
        return EventID.make(
            generation: generation, account: account, message: message, type: type, revision: revision)
    }

    @Test func knownFactsHaveTheirIds() throws {
        let id = "18c1234567890abcd"
        #expect(
            try make(0, "user_abc123", "primary", id, "email.received", 0) == "24f67d53-d27d-572e-a619-2aed799a3c92")
        #expect(
            try make(0, "user_abc123", "primary", id, "email.updated", 1) == "4f3f8681-67ba-5a3d-9cc0-3887121dd32d")
        #expect(
            try make(1, "user_abc123", "primary", id, "email.received", 0) == "0e6e208c-91ab-5a3a-b42f-ddb5f6157cbc")
        #expect(
            try make(0, "é/..\0", "work mail", "m:é", "email.deleted", .max) == "bcfe0691-aedc-52d6-b903-179e39740610")
        #expect(try make(0, "u", "primary", "", "account.connected", 0) == "5abe1f15-18b7-5114-80d3-86dc41f5f3a2")
    }

    @Test func noTwoFactsShareAnId() throws {
        var ids: Set<String> = []
        var count = 0
        for user in ["u", "u1", "u12", "U"] {
            for inbox in ["primary", "1"] {
                for message in ["", "1", "11", "a"] {
                    for revision in [0, 1, 11] as [Int64] {
                        for generation in [0, 1] as [Int64] {
                            ids.insert(try make(generation, user, inbox, message, "email.updated", revision))
                            count += 1
                        }
                    }
                }
            }
        }
        #expect(ids.count == count)
    }

    @Test func theFormIsThatOfVersion5() throws {
        for revision in 0..<200 as Range<Int64> {
            let id = Array(try make(0, "u", "primary", "m", "email.updated", revision).utf8)
            #expect(id.count == 36)
            #expect(id[14] == UInt8(ascii: "5"))
            #expect("89ab".utf8.contains(id[19]))
            for dash in [8, 13, 18, 23] { #expect(id[dash] == UInt8(ascii: "-")) }
        }
    }
}
