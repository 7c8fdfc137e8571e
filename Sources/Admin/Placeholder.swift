public import Worker
public import Bytes
public import Configuration
public enum ShutdownMode: Sendable { case immediate, waitForServers, waitForClients }
public final class Console: ConsoleService {
  public init(service: Service, shown: @escaping @Sendable () -> [ShownSetting], reload: @escaping @Sendable () -> String?, shutdown: @escaping @Sendable (ShutdownMode) -> Void) {}
  public func execute(_ query: String, for client: ClientID, isAdmin: Bool) {}
}
