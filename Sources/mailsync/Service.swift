import Accounts
import Foundation
import GmailProvider
import HTTPTransport
import JetStream
import Logging
import MailAPI
import MailDispatch
import MailModel
import MailStore
import MailSync
import Metrics
import ServiceLifecycle

/// The composition root: every part of the running service, made in the order of their dependencies. Read it top to
/// bottom.
struct Service: Sendable {
    let configuration: ServiceConfiguration
    let logger: Logger
}
