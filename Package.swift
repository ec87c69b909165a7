// swift-tools-version: 6.1
import PackageDescription

/// Every target of ours is compiled in Swift 6 language mode with warnings as errors (see the
/// Makefile: `-warnings-as-errors` is passed on the command line, because SwiftPM refuses unsafe
/// flags in a manifest).
let crypto = Target.Dependency.product(name: "Crypto", package: "swift-crypto")
let cryptoExtras = Target.Dependency.product(name: "CryptoExtras", package: "swift-crypto")
let logging = Target.Dependency.product(name: "Logging", package: "swift-log")
let metrics = Target.Dependency.product(name: "Metrics", package: "swift-metrics")
let lifecycle = Target.Dependency.product(name: "ServiceLifecycle", package: "swift-service-lifecycle")
let grdb = Target.Dependency.product(name: "GRDB", package: "GRDB.swift")
let hummingbird = Target.Dependency.product(name: "Hummingbird", package: "hummingbird")
let hummingbirdCore = Target.Dependency.product(name: "HummingbirdCore", package: "hummingbird")
let jwt = Target.Dependency.product(name: "JWTKit", package: "jwt-kit")
let arguments = Target.Dependency.product(name: "ArgumentParser", package: "swift-argument-parser")
let heap = Target.Dependency.product(name: "HeapModule", package: "swift-collections")
let system = Target.Dependency.product(name: "SystemPackage", package: "swift-system")
let nioCore = Target.Dependency.product(name: "NIOCore", package: "swift-nio")
let nioHTTP = Target.Dependency.product(name: "NIOHTTP1", package: "swift-nio")
let nioWebSocket = Target.Dependency.product(name: "NIOWebSocket", package: "swift-nio")
let configuration = Target.Dependency.product(name: "Configuration", package: "swift-configuration")

let package = Package(
    name: "mailsync",
    platforms: [.macOS(.v15)],
    products: [
        .executable(name: "mailsync", targets: ["mailsync"]),
        .library(name: "ProviderEmulator", targets: ["ProviderEmulator"]),
        .executable(name: "Benchmarks", targets: ["Benchmarks"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-collections", from: "1.6.0"),
        .package(
            url: "https://github.com/apple/swift-configuration", from: "1.4.0",
            traits: [.defaults, "CommandLineArguments"]),
        .package(url: "https://github.com/apple/swift-crypto", from: "4.5.2"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/apple/swift-metrics", from: "2.13.0"),
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.0"),
        .package(url: "https://github.com/apple/swift-system", from: "1.8.1"),
        .package(url: "https://github.com/groue/GRDB.swift", from: "7.10.0"),
        .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.1"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
        .package(url: "https://github.com/vapor/jwt-kit", from: "5.7.1"),
    ],
    targets: [
        // C libraries: one module each, imported by exactly one target.
        .systemLibrary(name: "CNATS", pkgConfig: "libnats"),
        .systemLibrary(name: "CCurl", pkgConfig: "libcurl"),
        .systemLibrary(name: "CZlib", pkgConfig: "zlib"),

        .target(name: "MailModel", dependencies: [crypto]),
        .target(name: "HTTPTransport", dependencies: ["CCurl", logging]),
        .target(name: "JetStream", dependencies: ["CNATS", "MailModel", logging]),
        .target(name: "MailHeaders"),
        .target(name: "ProviderClient", dependencies: ["MailModel", "MailHeaders", "HTTPTransport"]),
        .target(
            name: "GmailProvider",
            dependencies: ["MailModel", "MailHeaders", "HTTPTransport", "ProviderClient", logging]),
        .target(
            name: "OutlookProvider",
            dependencies: ["MailModel", "MailHeaders", "HTTPTransport", "ProviderClient", logging]),
        .target(name: "MailStore", dependencies: ["MailModel", grdb, logging]),
        .target(name: "Accounts", dependencies: ["MailModel", "HTTPTransport", grdb, crypto, jwt, logging]),
        .target(
            name: "MailSync", dependencies: ["MailModel", "MailStore", "Accounts", heap, lifecycle, logging]),
        .target(name: "MailDispatch", dependencies: ["MailModel", "MailStore", lifecycle, logging]),
        .target(name: "HTTPServing", dependencies: [hummingbirdCore, nioCore, logging]),
        .target(name: "MailPush", dependencies: ["MailModel", "Accounts", crypto, grdb, lifecycle, logging]),
        .target(name: "MailJobs", dependencies: ["MailModel", "Accounts", grdb, lifecycle, logging]),
        .target(name: "MailRecovery", dependencies: ["MailModel", "MailStore", lifecycle, logging]),
        .target(
            name: "MailAPI",
            dependencies: [
                "HTTPServing", "MailModel", "MailStore", "Accounts", "MailSync", "MailDispatch", "MailPush", "MailJobs",
                crypto,
                hummingbird, nioCore, nioHTTP, nioWebSocket, lifecycle, metrics, logging,
            ]),
        .target(name: "EventAudit", dependencies: ["MailModel", "MailStore", crypto]),
        .target(
            name: "ProviderEmulator",
            dependencies: [
                "CZlib", "HTTPServing", "HTTPTransport", "MailHeaders", "MailModel", hummingbird, crypto, cryptoExtras,
                logging,
            ]),
        .executableTarget(
            name: "mailsync",
            dependencies: [
                "HTTPServing", "MailModel", "HTTPTransport", "JetStream", "GmailProvider", "OutlookProvider",
                "MailStore", "Accounts",
                "MailSync", "MailDispatch", "MailPush", "MailJobs", "MailRecovery", "MailAPI", "ProviderEmulator",
                "EventAudit", hummingbird, system,
                arguments, configuration, lifecycle, logging, metrics,
            ]),
        .target(name: "MailTestSupport", dependencies: ["MailModel", "JetStream", logging]),

        // What the machine can do at best: plain C on the same libraries, with the same schema and payloads.
        .target(
            name: "PlainLimits",
            linkerSettings: [.linkedLibrary("sqlite3"), .linkedLibrary("nats"), .linkedLibrary("curl")]),
        .executableTarget(
            name: "Benchmarks",
            dependencies: [
                "PlainLimits", "MailModel", "HTTPTransport", "JetStream", "GmailProvider", "MailStore", "Accounts",
                "MailSync", "MailDispatch", "MailPush", "ProviderEmulator", arguments, logging,
            ]),

        .testTarget(name: "ArchitectureTests", dependencies: ["MailTestSupport"]),
        .testTarget(name: "MailModelTests", dependencies: ["MailModel", "MailTestSupport"]),
        .testTarget(name: "HTTPTransportTests", dependencies: ["HTTPTransport", "MailTestSupport", logging]),
        .testTarget(name: "JetStreamTests", dependencies: ["JetStream", "MailModel", "MailTestSupport", logging]),
        .testTarget(name: "MailHeadersTests", dependencies: ["MailHeaders", "MailTestSupport"]),
        .testTarget(
            name: "GmailProviderTests",
            dependencies: [
                "GmailProvider", "HTTPTransport", "MailHeaders", "MailModel", "ProviderClient", "ProviderEmulator",
                "MailTestSupport", logging,
            ]),
        .testTarget(
            name: "OutlookProviderTests",
            dependencies: [
                "OutlookProvider", "HTTPTransport", "MailHeaders", "MailModel", "MailStore", "MailSync",
                "ProviderClient",
                "ProviderEmulator", "MailTestSupport", logging,
            ]),
        .testTarget(
            name: "MailStoreTests", dependencies: ["MailStore", "MailModel", "MailTestSupport", grdb, logging]),
        .testTarget(
            name: "AccountsTests",
            dependencies: [
                "Accounts", "HTTPTransport", "MailModel", "ProviderEmulator", "MailTestSupport", crypto, cryptoExtras,
                grdb,
                jwt, logging,
            ]),
        .testTarget(
            name: "MailDispatchTests",
            dependencies: [
                "MailDispatch", "MailStore", "MailModel", "JetStream", "MailTestSupport", lifecycle, logging,
            ]),
        .testTarget(
            name: "MailPushTests",
            dependencies: ["MailPush", "Accounts", "MailModel", "MailTestSupport", grdb, logging]),
        .testTarget(
            name: "MailJobsTests",
            dependencies: ["MailJobs", "Accounts", "MailModel", "MailTestSupport", grdb, logging]),
        .testTarget(
            name: "MailRecoveryTests",
            dependencies: ["MailRecovery", "MailStore", "MailModel", "MailTestSupport", grdb, logging]),
        .testTarget(
            name: "MailSyncTests",
            dependencies: ["MailSync", "Accounts", "MailStore", "MailModel", "MailTestSupport", logging]),
        .testTarget(
            name: "MailAPITests",
            dependencies: [
                "MailAPI", "Accounts", "HTTPTransport", "MailJobs", "MailPush", "MailStore", "MailModel", "MailSync",
                "MailTestSupport", nioCore, crypto, cryptoExtras, hummingbird, lifecycle, logging, metrics,
            ]),
        .testTarget(
            name: "ProviderConformanceTests",
            dependencies: [
                "Accounts", "GmailProvider", "HTTPTransport", "MailModel", "MailStore", "MailSync", "MailTestSupport",
                "OutlookProvider", "ProviderEmulator", logging,
            ]),
        .testTarget(
            name: "ProviderEmulatorTests",
            dependencies: [
                "HTTPServing", "ProviderEmulator", "HTTPTransport", "MailModel", "MailTestSupport", crypto, hummingbird,
                logging,
            ]),
        .testTarget(
            name: "MailsyncTests",
            dependencies: [
                "mailsync", "Accounts", "EventAudit", "HTTPTransport", "MailModel", "MailStore", "MailTestSupport",
                grdb,
                lifecycle, logging,
            ]),
        .testTarget(name: "EventSchemaTests", dependencies: ["JetStream", "MailModel", "MailTestSupport"]),
        .testTarget(
            name: "EventAuditTests", dependencies: ["EventAudit", "MailModel", "MailStore", "MailTestSupport"]),
        .testTarget(
            name: "BenchmarksTests",
            dependencies: ["Benchmarks", "MailModel", "MailStore", "MailTestSupport", logging]),
        .testTarget(
            name: "SystemTests",
            dependencies: [
                "mailsync", "EventAudit", "HTTPTransport", "JetStream", "MailModel", "MailStore", "MailTestSupport",
                "ProviderEmulator", grdb, logging,
            ]),
    ],
    swiftLanguageModes: [.v6]
)
