import Accounts
import Logging
import MailModel
import MailStore

/// What lies in the data directory, which is ours alone for as long as the value lives: who may write it is who holds
/// the lock.
struct LocalData: Sendable {
    private let lock: DataDirectoryLock
    let registry: AccountRegistry
    /// One store per user.
    let stores: UserStores

    /// - Throws: a line for the operator: what is wrong, with what, and what to do.
    static func open(_ configuration: ServiceConfiguration, time: any TimeSource, logger: Logger) throws -> LocalData {
        let directory = configuration.dataDirectory
        try DataDirectory.prepare(directory)
        let lock = try DataDirectoryLock(directory: directory)
        let registry = try AccountRegistry(path: "\(directory)/control.db")
        let stores = UserStores(
            directory: "\(directory)/users", time: time, logger: logger,
            reserve: { user, lastSeq in
                try await registry.raise([user: UserFloor(lastSeq: lastSeq, generation: 0)], at: time.now())
            },
            floor: { user in SequenceFloor(try await registry.floor(of: user)) })
        return LocalData(lock: lock, registry: registry, stores: stores)
    }

    /// Closes every file; what failed is logged.
    func close(logger: Logger) async {
        await stores.close()
        do {
            try registry.close()
        } catch {
            logger.error("not closed cleanly", metadata: ["error": "\(error)"])
        }
    }
}

extension SequenceFloor {
    /// What the registry keeps, in the store's terms.
    init(_ floor: UserFloor) { self.init(lastSeq: floor.lastSeq, generation: floor.generation) }
}
