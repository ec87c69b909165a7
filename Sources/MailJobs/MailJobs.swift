/// What people and systems ask for, kept until it is done.
public enum MailJobs {}
