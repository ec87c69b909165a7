import Foundation
import MailModel
import MailStore

/// Why an import cannot be begun now.
public struct CannotImport: Error, Sendable, Hashable, CustomStringConvertible {
    public var description: String
    public init(_ description: String) { self.description = description }
}

/// Imports: rows in the user's store, which the account's passes go on with.
extension SyncManager {
    /// Begins an import; the account's next pass reads for it, which is made due now.
    ///
    /// - Parameters:
    ///   - id: one that exists already is left as it is; nil makes a new one.
    ///   - counted: what a scan has counted already; nil: the import begins with one.
    /// - Returns: nil when the account is not connected.
    /// - Throws: ``CannotImport``, `ImportLimit`, `StoreFailure`.
    public func startImport(
        _ selection: MailSelection, of key: AccountKey, id: String? = nil, counted: MailImport.Figures? = nil
    ) async throws -> MailImport? {
        guard workers[key] != nil else { return nil }
        let new = MailImport(
            id: id ?? UUID().uuidString.lowercased(), account: key, selection: selection, counted: counted,
            atMilliseconds: time.nowMilliseconds())
        try await stores.use(key.user) { store in
            if try await store.needsRestoring() {
                throw CannotImport("the user's store is being filled from the stream: import later")
            }
            try await store.write { try $0.start(new) }
        }
        _ = wake(user: key.user, provider: key.provider, inbox: key.inbox)
        return new
    }

    /// Imports of the user that are remembered, the newest first.
    ///
    /// - Throws: `StoreFailure`.
    public func imports(of user: UserID) async throws -> [MailImport] {
        try await stores.useExisting(user) { store in try await store.read { try $0.imports() } } ?? []
    }

    /// - Returns: nil when the user has no such import.
    /// - Throws: `StoreFailure`.
    public func mailImport(_ id: String, of user: UserID) async throws -> MailImport? {
        try await stores.useExisting(user) { store in try await store.read { try $0.mailImport(id) } } ?? nil
    }

    /// Pauses, resumes or cancels an import. What a pass has in hand is still stored.
    ///
    /// - Returns: the import as it is now; nil when the user has no such import.
    /// - Throws: `StoreFailure`.
    public func command(_ command: ImportCommand, import id: String, of user: UserID) async throws -> MailImport? {
        let now = time.nowMilliseconds()
        let entry = try await stores.useExisting(user) { store in
            try await store.write { try $0.command(id, command, atMilliseconds: now) }
        }
        guard let entry = entry ?? nil else { return nil }
        hooks.importMoved(entry)
        let key = entry.account
        if command == .resume { _ = wake(user: key.user, provider: key.provider, inbox: key.inbox) }
        return entry
    }

    /// What reading so many units would take at least with the account's quota, in seconds.
    public func secondsForUnits(_ units: Int, at provider: ProviderKind) -> Int64? {
        budgets[provider].map { Int64((Double(units) * 60 / Double($0.accountPerMinute)).rounded(.up)) }
    }
}
