import Crypto
import Foundation
import Logging
import MailModel

/// The operator's token is too short to be safe.
public struct OperatorTokenError: Error, Sendable, Hashable, CustomStringConvertible {
    /// The variable or file that holds it.
    public var source: String
    public var description: String { "\(source): the token is shorter than \(OperatorToken.bytesMin) bytes" }
}

/// The operator's credential for `/status` and `/metrics`.
public struct OperatorToken: Sendable {
    /// Shorter ones are refused: they can be guessed.
    public static let bytesMin = 16

    private let secret: BearerSecret

    /// - Parameter source: the variable or file the token is from, for the error.
    /// - Throws: ``OperatorTokenError`` when the token is too short.
    public init(_ token: Secret, source: String = "OPERATOR_TOKEN") throws(OperatorTokenError) {
        guard token.revealed.utf8.count >= Self.bytesMin else { throw OperatorTokenError(source: source) }
        secret = BearerSecret(token)
    }

    /// The configured token or, without one, that of `operator.token` in the data directory, which is created (0600)
    /// with a random one when absent.
    ///
    /// - Throws: ``OperatorTokenError``, ``PrivateFileFailure``.
    public static func load(configured: Secret?, dataDirectory: String, logger: Logger) throws -> OperatorToken {
        if let configured { return try OperatorToken(configured) }
        try PrivateFile.makeDirectory(dataDirectory)
        let path = dataDirectory + "/operator.token"
        let file = try PrivateFile.readOrCreate(path) {
            SymmetricKey(size: .bits256).withUnsafeBytes { Data($0).base64EncodedString() }
                .replacingOccurrences(of: "+", with: "-").replacingOccurrences(of: "/", with: "_")
                .replacingOccurrences(of: "=", with: "")
        }
        if file.created { logger.info("generated an operator token", metadata: ["path": "\(path)"]) }
        if file.wasOpenToOthers {
            logger.warning("file was open to others: set to 0600", metadata: ["path": "\(path)"])
        }
        return try OperatorToken(Secret(file.text), source: path)
    }

    /// Whether this is the token, in a time that does not depend on how much of it is right.
    public func matches(_ candidate: String) -> Bool { secret.matches(candidate) }
}
