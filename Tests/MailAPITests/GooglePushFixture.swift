import Crypto
import CryptoExtras
import Foundation
import HTTPTransport
import MailModel
import MailPush
import MailTestSupport
import Synchronization

@testable import Accounts
@testable import MailAPI

/// Knows one mailbox, and remembers what was announced of any.
final class MailboxReceiver: PushReceiver {
    private let known: String
    private let announced = Mutex<[PushAnnouncement]>([])

    init(knows known: String) { self.known = known }

    func receive(_ announcement: PushAnnouncement) -> PushReceipt {
        announced.withLock { $0.append(announcement) }
        return announcement.subscription == known ? .accepted : .unknown
    }

    var announcements: [PushAnnouncement] { announced.withLock { $0 } }
    var mailboxes: [String] { announcements.map(\.subscription) }
}

/// Somebody who signs as Google does.
struct GoogleSigner: Sendable {
    static let audience = "https://sync.example.com/webhooks/google"
    static let account = "pushes@example.iam.gserviceaccount.com"
    static let now: UnixSeconds = 1_767_225_600
    /// Made once: it takes a while.
    static let published = Result { try GoogleSigner(keyID: "google-1") }

    let keyID: String
    private let key: _RSA.Signing.PrivateKey

    init(keyID: String) throws {
        self.keyID = keyID
        key = try _RSA.Signing.PrivateKey(keySize: .bits2048)
    }

    func keySet() throws -> String {
        let numbers = try key.publicKey.getKeyPrimitives()
        let (n, e) = (Self.base64(numbers.modulus), Self.base64(numbers.publicExponent))
        return #"{"keys":[{"kty":"RSA","alg":"RS256","use":"sig","kid":"\#(keyID)","n":"\#(n)","e":"\#(e)"}]}"#
    }

    func token(audience: String = audience, account: String = account, expiresIn: Int64 = 3600) throws -> String {
        let claims: [String: Any] = [
            "iss": "https://accounts.google.com", "aud": audience, "email": account, "email_verified": true,
            "iat": Self.now, "exp": Self.now + expiresIn,
        ]
        let payload = try JSONSerialization.data(withJSONObject: claims)
        let header = #"{"alg":"RS256","kid":"\#(keyID)","typ":"JWT"}"#
        let signed = "\(Self.base64(Data(header.utf8))).\(Self.base64(payload))"
        let signature = try key.signature(for: Data(signed.utf8), padding: .insecurePKCS1v1_5)
        return "\(signed).\(Self.base64(signature.rawRepresentation))"
    }

    static func base64(_ data: Data) -> String {
        data.base64EncodedString().replacing("+", with: "-").replacing("/", with: "_").replacing("=", with: "")
    }
}

extension PushTokenVerifier {
    /// One that trusts the published key; without keys it cannot tell.
    static func test(
        keySet: String?, audience: String = GoogleSigner.audience, account: String = GoogleSigner.account,
        time: any TimeSource, fetches: Counter = Counter()
    ) -> PushTokenVerifier {
        let keys = KeySetCache(url: "https://google.test/certs", time: time, logger: .silent) { _ in
            fetches.increment()
            guard let keySet else { throw TransportError.connection("no such host") }
            return HTTPResponse(status: 200, body: Array(keySet.utf8))
        }
        return PushTokenVerifier(
            rules: PushTokenRules(audience: audience, serviceAccount: account), keys: keys, time: time)
    }
}
