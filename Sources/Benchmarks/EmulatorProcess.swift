import Foundation
import Logging
import ProviderEmulator

/// The provider emulator in a process of its own, with a filled mailbox for every account.
struct EmulatorProcess: Sendable {
    /// What the emulator tells about itself.
    struct Facts: Codable, Sendable {
        struct Grant: Codable, Sendable {
            var accessToken: String
            var refreshToken: String
            var messageIDs: [String]
        }
        var baseURL: String
        var tokenURL: String
        var clientID: String
        var clientSecret: String
        /// In the order of the accounts.
        var grants: [Grant]
    }

    let facts: Facts
    private let process: ChildProcess

    static func start(_ workload: Workload) async throws -> EmulatorProcess {
        let process = try ChildProcess(["emulator"] + workload.arguments)
        return EmulatorProcess(facts: try await process.answer(Facts.self), process: process)
    }

    func end() async { await process.end() }

    /// The life of the emulator's process: fills the mailboxes, says where it is, serves until the parent lets go.
    static func serve(_ workload: Workload, logger: Logger) async throws {
        var configuration = EmulatorConfiguration()
        configuration.seed = workload.seed
        let emulator = try await ProviderEmulator.start(configuration, logger: logger)
        var grants: [Facts.Grant] = []
        for account in BenchmarkAccount.all(workload.accounts) {
            try await fill(emulator.google, account.address, workload)
            let grant = try emulator.google.grant(account.address)
            grants.append(
                Facts.Grant(
                    accessToken: grant.accessToken, refreshToken: grant.refreshToken,
                    messageIDs: try emulator.google.messageIDs(of: account.address)))
        }
        try ChildProcess.reply(
            Facts(
                baseURL: emulator.baseURL, tokenURL: emulator.tokenURL, clientID: configuration.oauth.clientID,
                clientSecret: configuration.oauth.clientSecret, grants: grants))
        await ChildProcess.parentLetsGo()
        await emulator.shutdown()
    }

    private static func fill(_ google: GoogleEmulator, _ address: String, _ workload: Workload) async throws {
        try google.createMailbox(address)
        if let mbox = workload.mbox {
            try await google.load(mbox: mbox, into: address)
        } else {
            let generator = MailboxGenerator(seed: workload.seed, address: address, count: workload.messagesEach)
            try google.load(generator, into: address)
        }
    }
}
