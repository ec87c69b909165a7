import Foundation
import MailModel
import MailTestSupport
import Testing

@testable import Accounts

@Suite struct TokenVaultTests {
    let directory: TemporaryDirectory
    let path: String
    let vault: TokenVault
    let key: AccountKey

    init() throws {
        directory = try TemporaryDirectory()
        path = directory.path + "/private/auth.db"
        vault = try TokenVault(path: path, keys: .test())
        key = try .test("u1")
    }

    @Test func anAccountExistsFromConnectToRemove() async throws {
        #expect(try await vault.accounts().isEmpty)
        #expect(try await vault.tokens(key) == nil)
        let connected = try await vault.connect(key, tokens: .test("1", expiry: 100), since: 7, at: 50)
        #expect(try await vault.accounts() == [connected])
        #expect(try await vault.account(key) == connected)
        #expect(try await vault.tokens(key)?.tokens == .test("1", expiry: 100))
        #expect(try await vault.remove(key))
        #expect(try await vault.accounts().isEmpty)
        #expect(try await vault.tokens(key) == nil)
        #expect(try await !vault.remove(key))
    }

    @Test func survivesAReopen() async throws {
        let connected = try await vault.connect(key, tokens: .test("1"), since: nil, at: 50)
        try await vault.close()
        let reopened = try TokenVault(path: path, keys: .test())
        #expect(try await reopened.accounts() == [connected])
        #expect(try await reopened.tokens(key)?.tokens == .test("1"))
    }

    @Test func onlyTheOwnerMayReadTheFiles() async throws {
        try await vault.connect(key, tokens: .test("1"), since: nil, at: 50)
        #expect(try mode(of: directory.path + "/private") == 0o700)
        for name in try FileManager.default.contentsOfDirectory(atPath: directory.path + "/private") {
            #expect(try mode(of: "\(directory.path)/private/\(name)") == 0o600, "\(name)")
        }
    }

    @Test func aFileOpenToOthersIsClosed() async throws {
        try await vault.close()
        try FileManager.default.setAttributes([.posixPermissions: 0o644], ofItemAtPath: path)
        _ = try TokenVault(path: path, keys: .test())
        #expect(try mode(of: path) == 0o600)
    }

    @Test func noTokenIsEverInTheFilesInTheClear() async throws {
        try await vault.connect(key, tokens: .test("1"), since: nil, at: 50)
        for name in try FileManager.default.contentsOfDirectory(atPath: directory.path + "/private") {
            let content = try Data(contentsOf: URL(filePath: "\(directory.path)/private/\(name)"))
            #expect(content.range(of: Data("access-1".utf8)) == nil, "\(name)")
            #expect(content.range(of: Data("refresh-1".utf8)) == nil, "\(name)")
        }
    }

    @Test func removingEmptiesTheLog() async throws {
        try await vault.connect(key, tokens: .test("1"), since: nil, at: 50)
        try await vault.remove(key)
        let size = try FileManager.default.attributesOfItem(atPath: path + "-wal")[.size] as? NSNumber
        #expect(size?.intValue == 0)
    }

    @Test func connectingAgainReplacesTheTokensAndKeepsTheScope() async throws {
        let first = try await vault.connect(key, tokens: .test("1"), since: 7, at: 50)
        let second = try await vault.connect(key, tokens: .test("2"), since: nil, at: 60)
        #expect(second.since == 7)
        #expect(second.version > first.version)
        #expect(try await vault.tokens(key)?.tokens == .test("2"))
        #expect(try await vault.connect(key, tokens: .test("3"), since: 8, at: 70).since == 8)
    }

    @Test func aRefreshReplacesOnlyTheTokensItStartedFrom() async throws {
        let version = try await vault.connect(key, tokens: .test("1"), since: nil, at: 50).version
        guard case .stored(let stored) = try await vault.store(.test("2"), of: key, expectedVersion: version, at: 60)
        else { return #expect(Bool(false)) }
        #expect(stored.version > version)
        // A slow refresh that started from the first tokens, and one from before a new connect.
        #expect(
            try await vault.store(.test("late"), of: key, expectedVersion: version, at: 61) == .superseded(stored))
        try await vault.connect(key, tokens: .test("3"), since: nil, at: 70)
        _ = try await vault.store(.test("later"), of: key, expectedVersion: stored.version, at: 71)
        #expect(try await vault.tokens(key)?.tokens == .test("3"))
    }

    @Test func aRefreshDoesNotBringADisconnectedAccountBack() async throws {
        let version = try await vault.connect(key, tokens: .test("1"), since: nil, at: 50).version
        try await vault.remove(key)
        #expect(try await vault.store(.test("2"), of: key, expectedVersion: version, at: 60) == .gone)
        #expect(try await vault.accounts().isEmpty)
        // Connected again, it has tokens of another version: the old refresh still does not fit.
        try await vault.connect(key, tokens: .test("3"), since: nil, at: 70)
        _ = try await vault.store(.test("2"), of: key, expectedVersion: version, at: 71)
        #expect(try await vault.tokens(key)?.tokens == .test("3"))
    }

    @Test func theNeedToConnectAgainEndsWithAConnect() async throws {
        let version = try await vault.connect(key, tokens: .test("1"), since: nil, at: 50).version
        #expect(try await vault.markReauthRequired(key, version: version, reason: "revoked", at: 60))
        #expect(try await vault.account(key)?.reauthReason == "revoked")
        #expect(try await vault.tokens(key)?.reauthReason == "revoked")
        try await vault.connect(key, tokens: .test("2"), since: nil, at: 70)
        #expect(try await vault.account(key)?.reauthReason == nil)
        #expect(try await !vault.markReauthRequired(key, version: version, reason: "late", at: 80))
        #expect(try await vault.account(key)?.reauthReason == nil)
    }

    @Test func keepsUsersApart() async throws {
        for user in ["u1", "u12", "U1", "u%1", "u'1", "../u1"] {
            try await vault.connect(.test(user), tokens: .test(user), since: nil, at: 50)
        }
        #expect(try await vault.accounts().count == 6)
        #expect(try await vault.accounts(of: UserID("u1")).map(\.key) == [.test("u1")])
        #expect(try await vault.tokens(.test("u'1"))?.tokens == .test("u'1"))
        try await vault.remove(.test("u1"))
        #expect(try await vault.accounts().count == 5)
    }

    @Test func aMissingKeyIsNoticedAtTheStart() async throws {
        try await vault.connect(key, tokens: .test("1"), since: nil, at: 50)
        try await vault.checkKeys()
        try await vault.close()
        let other = try TokenVault(path: path, keys: .test("other:" + EncryptionKeysTests.base64))
        let error = await #expect(throws: AccountDatabaseFailure.self) { try await other.checkKeys() }
        #expect(error?.description.contains("sealed with key k1") == true)
        await #expect(throws: SealError.unknownKey(id: "k1")) { try await other.tokens(key) }
    }

    @Test func aFileThatIsNoDatabaseIsRefusedByName() async throws {
        let path = directory.path + "/text.db"
        try String(repeating: "this is not a database\n", count: 200).write(
            toFile: path, atomically: false, encoding: .utf8)
        let error = #expect(throws: AccountDatabaseFailure.self) { try TokenVault(path: path, keys: .test()) }
        #expect(error?.path == path)
    }
}

@Suite struct AccountRegistryTests {
    @Test func floorsOnlyRise() async throws {
        let directory = try TemporaryDirectory()
        let user = try UserID("u1")
        let registry = try AccountRegistry(path: directory.path + "/control.db")
        #expect(try await registry.floor(of: user) == .none)
        try await registry.raise([user: UserFloor(lastSeq: 10, generation: 1)], at: 1)
        try await registry.raise([user: UserFloor(lastSeq: 4, generation: 0)], at: 2)
        #expect(try await registry.floor(of: user) == UserFloor(lastSeq: 10, generation: 1))
        try registry.close()
        let reopened = try AccountRegistry(path: directory.path + "/control.db")
        #expect(try await reopened.floor(of: user) == UserFloor(lastSeq: 10, generation: 1))
        #expect(try await reopened.floor(of: UserID("u12")) == .none)
    }
}

@Suite struct DataDirectoryLockTests {
    @Test func isHeldByOneAndNamesIt() throws {
        let directory = try TemporaryDirectory()
        let data = directory.path + "/data"
        var lock: DataDirectoryLock? = try DataDirectoryLock(directory: data)
        let error = #expect(throws: DataDirectoryLockFailure.self) { try DataDirectoryLock(directory: data) }
        #expect(error == .held(directory: data, pid: getpid()))
        #expect(error?.description.contains("process \(getpid())") == true)
        #expect(try mode(of: data + "/lock") == 0o600)
        withExtendedLifetime(lock) {}
        lock = nil
        _ = try DataDirectoryLock(directory: data)
    }

    @Test func saysWhyADirectoryCannotBeUsed() throws {
        let directory = try TemporaryDirectory()
        try "file".write(toFile: directory.path + "/data", atomically: false, encoding: .utf8)
        #expect(throws: PrivateFileFailure.self) { try DataDirectoryLock(directory: directory.path + "/data") }
    }
}

@Suite struct OperatorTokenTests {
    @Test func matchesItselfOnly() throws {
        let token = try OperatorToken(Secret("0123456789abcdef"))
        #expect(token.matches("0123456789abcdef"))
        for other in ["", "0123456789abcde", "0123456789abcdeg", "0123456789abcdef0"] { #expect(!token.matches(other)) }
        #expect(throws: OperatorTokenError.self) { try OperatorToken(Secret("short")) }
    }

    @Test func isGeneratedOnce() throws {
        let directory = try TemporaryDirectory()
        _ = try OperatorToken.load(configured: nil, dataDirectory: directory.path, logger: .silent)
        let text = try String(contentsOfFile: directory.path + "/operator.token", encoding: .utf8)
        let again = try OperatorToken.load(configured: nil, dataDirectory: directory.path, logger: .silent)
        #expect(again.matches(text.trimmingCharacters(in: .newlines)))
        #expect(try mode(of: directory.path + "/operator.token") == 0o600)
    }
}
