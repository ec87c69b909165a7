import MailJobs
import Testing
