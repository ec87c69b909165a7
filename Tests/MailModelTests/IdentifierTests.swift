import MailModel
import Testing

@Suite struct IdentifierTests {
    @Test func plainIdsStayAsTheyAre() throws {
        let id = try UserID("user_ABC-123")
        #expect((id.encoded, id.raw, "\(id)") == ("user_ABC-123", "user_ABC-123", "user_ABC-123"))
    }

    @Test(arguments: [
        ("a.b", "a%2Eb"), ("../x", "%2E%2E%2Fx"), ("*", "%2A"), (">", "%3E"), (" ", "%20"), ("\0", "%00"),
        ("%41", "%2541"),
        ("é", "%C3%A9"), ("e\u{301}", "e%CC%81"), ("😀", "%F0%9F%98%80"), ("auth0|1", "auth0%7C1"),
    ])
    func otherBytesAreEscaped(raw: String, encoded: String) throws {
        let id = try UserID(raw)
        #expect(id.encoded == encoded)
        #expect(Array(id.raw.utf8) == Array(raw.utf8))
        #expect(try UserID(encoded: encoded) == id)
    }

    @Test func equivalentSpellingsAreDifferentUsers() throws {
        #expect(try UserID("é") != UserID("e\u{301}"))
        #expect(try UserID("u1") != UserID("u12"))
    }

    @Test func emptyAndLongIdsAreRefused() throws {
        #expect(throws: IdentifierError.empty(noun: "user id")) { try UserID("") }
        #expect(throws: IdentifierError.empty(noun: "inbox id")) { try InboxID(encoded: "") }
        #expect(try UserID(String(repeating: "a", count: 200)).encoded.count == 200)
        #expect(throws: IdentifierError.tooLong(noun: "user id", encodedBytes: 201)) {
            try UserID(String(repeating: "a", count: 201))
        }
        #expect(throws: IdentifierError.tooLong(noun: "user id", encodedBytes: 201)) {
            try UserID(String(repeating: ".", count: 67))
        }
        #expect(throws: IdentifierError.notEncoded(noun: "user id")) {
            try UserID(encoded: String(repeating: "a", count: 201))
        }
    }

    @Test(arguments: [
        "a.b", "a/b", "%", "%4", "%41", "%2e", "%2G", "%GG", "a b", "é", "%C3", "%FF", "%ED%A0%80", "a\0", "%2E%", "..",
        "*",
    ])
    func whatEncodingNeverProducesIsRefused(text: String) {
        #expect(throws: IdentifierError.notEncoded(noun: "user id")) { try UserID(encoded: text) }
    }

    @Test(arguments: [1, 7, 42, 2026] as [UInt64])
    func everyTextComesBackAndIsSafe(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        for _ in 0..<2000 {
            let bytes = (0..<Int.random(in: 1...60, using: &random)).map { _ in
                UInt8.random(in: .min ... .max, using: &random)
            }
            let raw = String(decoding: bytes, as: UTF8.self)
            guard let id = try? UserID(raw) else { continue }
            #expect(Array(id.raw.utf8) == Array(raw.utf8), "seed \(seed)")
            #expect(try UserID(encoded: id.encoded) == id, "seed \(seed)")
            let safe = id.encoded.utf8.allSatisfy { byte in
                Character(UnicodeScalar(byte)).isLetter && byte < 128 || Character(UnicodeScalar(byte)).isNumber
                    || "_-%".utf8.contains(byte)
            }
            #expect(safe, "seed \(seed): \(id.encoded)")
        }
    }

    @Test(arguments: [3, 9, 27] as [UInt64])
    func whatIsAcceptedAsEncodedIsTheOnlySpelling(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        let alphabet = Array("%0123456789ABCDEFabcdef-_.zZ")
        var accepted = 0
        for _ in 0..<20_000 {
            let length = Int.random(in: 1...6, using: &random)
            let text = String((0..<length).map { _ in alphabet[Int.random(in: 0..<alphabet.count, using: &random)] })
            guard let id = try? InboxID(encoded: text) else { continue }
            accepted += 1
            #expect(try InboxID(id.raw).encoded == text, "seed \(seed)")
        }
        #expect(accepted > 100)
    }

    @Test func accountsPrintAsTheApiShowsThem() throws {
        let key = AccountKey(user: try UserID("user_abc123"), provider: .google, inbox: .primary)
        #expect(key.description == "user_abc123:primary:GOOGLE")
        #expect(ProviderKind(apiName: "google") == .google)
        #expect(ProviderKind(apiName: "GOOGLE") == nil)
        #expect(ProviderKind.google.apiName == "google")
    }

    @Test func subjectsContainEncodedIdsOnly() throws {
        let user = try UserID("a.b*>")
        #expect(EventSubject.subject(user: user, type: "email.received") == "user.a%2Eb%2A%3E.email.received")
        #expect(EventSubject.wildcard(user: user) == "user.a%2Eb%2A%3E.>")
    }
}

/// Numbers that a test can draw again from the seed it prints (splitmix64).
struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64
    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var word = state
        word = (word ^ (word >> 30)) &* 0xbf58_476d_1ce4_e5b9
        word = (word ^ (word >> 27)) &* 0x94d0_49bb_1331_11eb
        return word ^ (word >> 31)
    }
}
