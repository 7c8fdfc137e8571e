import Authentication
import Pooling
import Session
import Testing

@testable import Worker

@Suite struct PoolProfileTests {
    /// One value that a user, a database and the service may set.
    struct Setting: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let service: @Sendable (inout ServiceSettings) -> Void
        let database: (@Sendable (inout DatabaseSettings) -> Void)?
        let user: (@Sendable (inout UserSettings) -> Void)?
        /// 1 = the service's, 2 = the database's, 3 = the user's value.
        let source: @Sendable (PoolProfile) -> Int
    }

    private static func seconds(_ duration: Duration) -> Int { Int(duration.components.seconds) }

    static let settings: [Setting] = [
        Setting(
            testDescription: "pool_mode", service: { $0.session.mode = .session },
            database: { $0.mode = .transaction }, user: { $0.mode = .statement },
            source: { [.session: 1, .transaction: 2, .statement: 3][$0.session.mode] ?? 0 }),
        Setting(
            testDescription: "pool_size", service: { $0.pool.serversMax = 1 },
            database: { $0.serversMax = 2 }, user: { $0.serversMax = 3 },
            source: { $0.pool.serversMax }),
        Setting(
            testDescription: "reserve_pool_size", service: { $0.pool.reserveMax = 1 },
            database: { $0.reserveMax = 2 }, user: { $0.reserveMax = 3 },
            source: { $0.pool.reserveMax }),
        Setting(
            testDescription: "query_wait_timeout",
            service: { $0.session.queryWaitTimeout = .seconds(1) },
            database: { $0.queryWaitTimeout = .seconds(2) },
            user: { $0.queryWaitTimeout = .seconds(3) },
            source: { seconds($0.session.queryWaitTimeout) }),
        Setting(
            testDescription: "min_pool_size", service: { $0.pool.serversMin = 1 },
            database: { $0.serversMin = 2 }, user: nil, source: { $0.pool.serversMin }),
        Setting(
            testDescription: "server_lifetime", service: { $0.pool.serverLifetime = .seconds(1) },
            database: { $0.serverLifetime = .seconds(2) }, user: nil,
            source: { seconds($0.pool.serverLifetime) }),
        Setting(
            testDescription: "max_db_connections", service: { $0.databaseServersMax = 1 },
            database: { $0.databaseServersMax = 2 }, user: nil,
            source: { $0.databaseServersMax }),
        Setting(
            testDescription: "max_db_client_connections", service: { $0.databaseClientsMax = 1 },
            database: { $0.databaseClientsMax = 2 }, user: nil,
            source: { $0.databaseClientsMax }),
        Setting(
            testDescription: "max_user_connections", service: { $0.userServersMax = 1 },
            database: nil, user: { $0.userServersMax = 3 }, source: { $0.userServersMax }),
        Setting(
            testDescription: "max_user_client_connections", service: { $0.userClientsMax = 1 },
            database: nil, user: { $0.userClientsMax = 3 }, source: { $0.userClientsMax }),
        Setting(
            testDescription: "query_timeout", service: { $0.session.queryTimeout = .seconds(1) },
            database: nil, user: { $0.queryTimeout = .seconds(3) },
            source: { seconds($0.session.queryTimeout) }),
        Setting(
            testDescription: "idle_transaction_timeout",
            service: { $0.session.idleTransactionTimeout = .seconds(1) }, database: nil,
            user: { $0.idleTransactionTimeout = .seconds(3) },
            source: { seconds($0.session.idleTransactionTimeout) }),
        Setting(
            testDescription: "transaction_timeout",
            service: { $0.session.transactionTimeout = .seconds(1) }, database: nil,
            user: { $0.transactionTimeout = .seconds(3) },
            source: { seconds($0.session.transactionTimeout) }),
        Setting(
            testDescription: "client_idle_timeout",
            service: { $0.session.clientIdleTimeout = .seconds(1) }, database: nil,
            user: { $0.clientIdleTimeout = .seconds(3) },
            source: { seconds($0.session.clientIdleTimeout) }),
    ]

    /// Which value holds for alice in app when the service, and the named others, set theirs.
    private func source(
        of setting: Setting, databaseSets: Bool, userSets: Bool
    ) throws -> Int {
        var settings = ServiceSettings()
        setting.service(&settings)
        var database = DatabaseSettings()
        if databaseSets { setting.database?(&database) }
        settings.databases = ["app": database]
        var user = UserSettings()
        if userSets { setting.user?(&user) }
        settings.users = ["alice": user]
        return setting.source(try #require(settings.profile(database: "app", user: "alice")))
    }

    @Test(arguments: settings)
    func `the user comes before the database, and the database before the service`(
        _ setting: Setting
    ) throws {
        let database = setting.database == nil ? 1 : 2
        let user = setting.user == nil ? database : 3
        #expect(try source(of: setting, databaseSets: false, userSets: false) == 1)
        #expect(try source(of: setting, databaseSets: true, userSets: false) == database)
        #expect(try source(of: setting, databaseSets: true, userSets: true) == user)
        let alone = setting.user == nil ? 1 : 3
        #expect(try source(of: setting, databaseSets: false, userSets: true) == alone)
    }

    @Test func `another user's settings do not count`() throws {
        var settings = ServiceSettings()
        settings.databases = ["app": DatabaseSettings()]
        settings.users["bob"] = UserSettings()
        settings.users["bob"]?.serversMax = 3
        let profile = try #require(settings.profile(database: "app", user: "alice"))
        #expect(profile.pool.serversMax == settings.pool.serversMax)
    }

    @Test func `zero of a user or database is a value, not a gap`() throws {
        var settings = ServiceSettings()
        settings.session.queryWaitTimeout = .seconds(9)
        settings.pool.reserveMax = 9
        var database = DatabaseSettings()
        database.queryWaitTimeout = .zero
        database.reserveMax = 0
        settings.databases = ["app": database]
        let profile = try #require(settings.profile(database: "app", user: "alice"))
        #expect(profile.session.queryWaitTimeout == .zero)
        #expect(profile.pool.reserveMax == 0)
    }
}

@Suite struct PoolProfileNameTests {
    private func settings(_ change: (inout DatabaseSettings) -> Void) -> ServiceSettings {
        var settings = ServiceSettings()
        var database = DatabaseSettings()
        change(&database)
        settings.databases = ["app": database]
        return settings
    }

    @Test func `a database that nobody named is nil without a wildcard`() {
        #expect(settings { _ in }.profile(database: "other", user: "alice") == nil)
    }

    @Test func `the wildcard stands for other names only, and keeps the client's name`() throws {
        var settings = settings { $0.hosts = ["named"] }
        settings.wildcardDatabase = DatabaseSettings()
        settings.wildcardDatabase?.hosts = ["any"]
        let named = try #require(settings.profile(database: "app", user: "alice"))
        #expect(named.hosts == ["named"])
        let other = try #require(settings.profile(database: "other", user: "alice"))
        #expect(other.hosts == ["any"])
        #expect(other.database == "other")
        #expect(other.serverDatabase == "other")
    }

    @Test func `the name on the server is dbname, else the client's`() throws {
        let plain = settings { _ in }
        #expect(plain.profile(database: "app", user: "alice")?.serverDatabase == "app")
        let renamed = settings { $0.name = "app_0" }
        let profile = try #require(renamed.profile(database: "app", user: "alice"))
        #expect(profile.serverDatabase == "app_0")
        #expect(profile.database == "app")
    }

    @Test func `without a forced user everybody is themselves`() throws {
        var settings = settings { _ in }
        settings.authentication.secrets = ["alice": .plain("secret of alice")]
        let profile = try #require(settings.profile(database: "app", user: "alice"))
        #expect(profile.user == "alice")
        #expect(profile.serverUser == "alice")
        #expect(!profile.isUserForced)
        #expect(profile.secret == .plain("secret of alice"))
        #expect(settings.profile(database: "app", user: "bob")?.secret == nil)
    }

    @Test func `a forced user takes the place of the client's, with settings and secret`() throws {
        var settings = settings { $0.forcedUser = "service" }
        settings.authentication.secrets = [
            "alice": .plain("secret of alice"), "service": .plain("secret of service"),
        ]
        settings.users = ["alice": UserSettings(), "service": UserSettings()]
        settings.users["alice"]?.serversMax = 3
        settings.users["service"]?.serversMax = 4
        let alice = try #require(settings.profile(database: "app", user: "alice"))
        #expect(alice.user == "service")
        #expect(alice.serverUser == "service")
        #expect(alice.isUserForced)
        #expect(alice.secret == .plain("secret of service"))
        #expect(alice.pool.serversMax == 4)
        #expect(settings.profile(database: "app", user: "bob") == alice)
    }

    @Test func `the password beside a forced user comes before the auth file`() {
        var settings = settings {
            $0.forcedUser = "service"
            $0.forcedPassword = "beside"
        }
        settings.authentication.secrets = ["service": .plain("in the file")]
        #expect(settings.profile(database: "app", user: "alice")?.secret == .plain("beside"))
    }

    @Test func `where the servers are, and what they are told, is the database's`() throws {
        let settings = settings {
            $0.hosts = ["a", "b"]
            $0.ports = [1, 2]
            $0.balancesHosts = false
            $0.startupParameters = ["timezone": "UTC"]
            $0.connectQuery = "SELECT 1"
        }
        let profile = try #require(settings.profile(database: "app", user: "alice"))
        #expect(profile.hosts == ["a", "b"])
        #expect(profile.ports == [1, 2])
        #expect(!profile.balancesHosts)
        #expect(profile.startupParameters == ["timezone": "UTC"])
        #expect(profile.session.connectQuery == "SELECT 1")
    }
}
