import MailPush
import Testing
