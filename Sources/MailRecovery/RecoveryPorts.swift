import MailModel
import MailStore

/// Whoever works for a user, and can be told to stop.
public protocol UserSupervision: Sendable {
    /// Nothing is synced or published for the user any more when this returns.
    func suspend(_ user: UserID, because reason: String) async
    /// What the user's accounts wait for, for people.
    func note(_ user: UserID, _ reason: String) async
    /// Everything goes on.
    func resume(_ user: UserID) async
}

/// What recovery asks of the registries.
public protocol RecoveryRegistry: Sendable {
    /// The user's accounts that are connected.
    func connected(_ user: UserID) async throws -> [AccountKey]
    func floor(of user: UserID) async throws -> SequenceFloor
    /// Raises the floor; it is never lowered.
    func raise(_ user: UserID, to floor: SequenceFloor) async throws
    /// Accounts whose erasing was asked for and is not finished.
    func erasures() async throws -> [AccountKey]
    /// Remembers that the account is to be erased, durably.
    func addErasure(of key: AccountKey) async throws
    func removeErasure(of key: AccountKey) async throws
}
