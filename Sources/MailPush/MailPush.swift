/// Where pushes come in, and what keeps them coming.
public enum MailPush {}
