import Foundation
import MailModel
import MailTestSupport
import Testing

@testable import Accounts

@Suite struct EncryptionKeysTests {
    static let hex = String(repeating: "0123456789abcdef", count: 4)
    static let base64 = Data((0..<32).map { UInt8($0) }).base64EncodedString()

    @Test func readsHexAndEveryBase64() throws {
        #expect(try EncryptionKeys(parsing: Self.hex).ids.count == 1)
        #expect(try EncryptionKeys(parsing: Self.hex.uppercased()).ids == EncryptionKeys(parsing: Self.hex).ids)
        let plain = try EncryptionKeys(parsing: Self.base64).ids
        let unpadded = Self.base64.replacingOccurrences(of: "=", with: "")
        #expect(try EncryptionKeys(parsing: unpadded).ids == plain)
        #expect(try EncryptionKeys(parsing: " \(Self.base64)\n").ids == plain)
    }

    @Test func theFirstOfSeveralWrites() throws {
        let keys = try EncryptionKeys(parsing: "new:\(Self.base64), old:\(Self.hex)")
        #expect(keys.ids == ["new", "old"])
        #expect(keys.writing.id == "new")
    }

    @Test func aKeyWithoutIDKeepsItsIDWhenAnotherIsPutBeforeIt() throws {
        let alone = try EncryptionKeys(parsing: Self.hex).ids[0]
        #expect(try EncryptionKeys(parsing: "new:\(Self.base64),\(Self.hex)").ids == ["new", alone])
    }

    @Test(arguments: [
        "", "x", String(repeating: "0", count: 64), "k:", ":\(hex)", "a b:\(hex)", "\(hex),", "k:\(hex),k:\(base64)",
        "\(hex)00", String(hex.dropLast()), "k:\(hex):\(hex)",
        "\(String(repeating: "i", count: 33)):\(hex)",
    ])
    func refusesWithoutRepeatingTheKey(_ text: String) {
        let error = #expect(throws: EncryptionKeyError.self) { try EncryptionKeys(parsing: text) }
        let description = error?.description ?? ""
        #expect(description.hasPrefix("ENCRYPTION_KEY, entry "))
        #expect(!description.contains("0123456789abcdef"))
    }

    @Test func generatesAKeyFileOnceForItsOwnerOnly() throws {
        let directory = try TemporaryDirectory()
        let data = directory.path + "/data"
        let first = try EncryptionKeys.load(configured: nil, dataDirectory: data, logger: .silent)
        let again = try EncryptionKeys.load(configured: nil, dataDirectory: data, logger: .silent)
        #expect(first.ids == again.ids)
        #expect(try mode(of: data) == 0o700)
        #expect(try mode(of: data + "/encryption.key") == 0o600)
        #expect(try FileManager.default.contentsOfDirectory(atPath: data) == ["encryption.key"])
    }

    @Test func closesAKeyFileThatIsOpenToOthers() throws {
        let directory = try TemporaryDirectory()
        let path = directory.path + "/encryption.key"
        try Self.hex.write(toFile: path, atomically: false, encoding: .utf8)
        try FileManager.default.setAttributes([.posixPermissions: 0o644], ofItemAtPath: path)
        _ = try EncryptionKeys.load(configured: nil, dataDirectory: directory.path, logger: .silent)
        #expect(try mode(of: path) == 0o600)
    }

    @Test func anUnreadableKeyFileIsNamed() throws {
        let directory = try TemporaryDirectory()
        try "not a key".write(toFile: directory.path + "/encryption.key", atomically: false, encoding: .utf8)
        let error = #expect(throws: PrivateFileFailure.self) {
            try EncryptionKeys.load(configured: nil, dataDirectory: directory.path, logger: .silent)
        }
        #expect(error?.path == directory.path + "/encryption.key")
    }
}

@Suite struct TokenSealTests {
    let place: SealedPlace
    let seal: TokenSeal

    init() throws {
        place = SealedPlace(account: try .test("u1"), column: .accessToken)
        seal = TokenSeal(keys: try .test())
    }

    @Test(arguments: ["", "ya29.token", String(repeating: "x", count: 4096), "ключ"])
    func opensWhatItSealed(_ text: String) throws {
        let sealed = try seal.seal(Secret(text), for: place)
        #expect(try seal.open(sealed, at: place).revealed == text)
        if !text.isEmpty { #expect(!Data(sealed).contains(Data(text.utf8))) }
    }

    @Test func neverSealsTheSameTwice() throws {
        #expect(try seal.seal(Secret("t"), for: place) != seal.seal(Secret("t"), for: place))
    }

    @Test func opensNowhereElse() throws {
        let sealed = try seal.seal(Secret("t"), for: place)
        let others = [
            SealedPlace(account: place.account, column: .refreshToken),
            SealedPlace(account: try .test("u2"), column: .accessToken),
            SealedPlace(account: try .test("u1", inbox: "work"), column: .accessToken),
            // The same bytes, parted elsewhere.
            SealedPlace(account: try .test("u", inbox: "1primary"), column: .accessToken),
        ]
        for other in others {
            #expect(throws: SealError.notAuthentic(keyID: "k1")) { try seal.open(sealed, at: other) }
        }
    }

    @Test func noticesEveryChangedByte() throws {
        let sealed = try seal.seal(Secret("t"), for: place)
        for index in sealed.indices {
            var changed = sealed
            changed[index] ^= 1
            #expect(throws: SealError.self, "byte \(index)") { try seal.open(changed, at: place) }
        }
        for length in 0..<sealed.count {
            #expect(throws: SealError.self, "cut to \(length)") {
                try seal.open(Array(sealed.prefix(length)), at: place)
            }
        }
    }

    @Test func namesTheKeyThatIsMissingOrWrong() throws {
        let sealed = try seal.seal(Secret("t"), for: place)
        let other = TokenSeal(keys: try .test("k2:" + EncryptionKeysTests.hex))
        #expect(throws: SealError.unknownKey(id: "k1")) { try other.open(sealed, at: place) }
        let sameID = TokenSeal(keys: try .test("k1:" + EncryptionKeysTests.base64))
        #expect(throws: SealError.notAuthentic(keyID: "k1")) { try sameID.open(sealed, at: place) }
    }

    @Test func opensWithAnOldKeyAndWritesWithTheNew() throws {
        let sealed = try seal.seal(Secret("t"), for: place)
        let rotated = TokenSeal(keys: try .test("k2:\(EncryptionKeysTests.base64),k1:\(EncryptionKeysTests.hex)"))
        #expect(try rotated.open(sealed, at: place).revealed == "t")
        #expect(try TokenSeal.keyID(of: rotated.seal(Secret("t"), for: place)) == "k2")
    }
}
