import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.ArrayList;
import java.util.List;
import java.util.Properties;

/** What Java programs do: server-prepared statements, fetch size, batches, in several threads. */
public final class Driver {
    private static String url;

    private static Connection open() throws SQLException {
        Properties properties = new Properties();
        properties.setProperty("prepareThreshold", "1");
        return DriverManager.getConnection(url, properties);
    }

    private static void check(boolean condition, String what) {
        if (!condition) throw new AssertionError(what);
    }

    private static void prepared(int seed) throws SQLException {
        try (Connection connection = open();
                PreparedStatement statement = connection.prepareStatement("select ?::int + 1")) {
            for (int n = 0; n < 100; n++) {
                statement.setInt(1, seed + n);
                try (ResultSet rows = statement.executeQuery()) {
                    check(rows.next() && rows.getInt(1) == seed + n + 1, "prepared " + n);
                }
            }
        }
    }

    private static void fetchSize() throws SQLException {
        try (Connection connection = open()) {
            connection.setAutoCommit(false);
            try (PreparedStatement statement =
                    connection.prepareStatement("select generate_series(1, ?)")) {
                statement.setFetchSize(50);
                statement.setInt(1, 1000);
                long sum = 0;
                try (ResultSet rows = statement.executeQuery()) {
                    while (rows.next()) sum += rows.getInt(1);
                }
                check(sum == 500500, "sum is " + sum);
            }
            connection.commit();
        }
    }

    private static void batch() throws SQLException {
        try (Connection connection = open(); Statement plain = connection.createStatement()) {
            plain.execute("truncate jdbc_batch");
            try (PreparedStatement statement =
                    connection.prepareStatement("insert into jdbc_batch values (?, ?)")) {
                for (int n = 0; n < 1000; n++) {
                    statement.setInt(1, n);
                    statement.setString(2, "text " + n);
                    statement.addBatch();
                }
                check(statement.executeBatch().length == 1000, "batch");
            }
            try (ResultSet rows = plain.executeQuery("select count(*) from jdbc_batch")) {
                check(rows.next() && rows.getInt(1) == 1000, "count");
            }
        }
    }

    private static void errors() throws SQLException {
        try (Connection connection = open();
                PreparedStatement statement = connection.prepareStatement("select 1 / ?::int")) {
            for (int n = 0; n < 5; n++) {
                try {
                    statement.setInt(1, 0);
                    statement.executeQuery();
                    check(false, "no error");
                } catch (SQLException error) {
                    check("22012".equals(error.getSQLState()), error.getSQLState());
                }
                statement.setInt(1, 1);
                statement.executeQuery().close();
            }
        }
    }

    private static void threads() throws Exception {
        List<Throwable> failures = new ArrayList<>();
        List<Thread> threads = new ArrayList<>();
        for (int t = 0; t < 10; t++) {
            int seed = t * 1000;
            threads.add(new Thread(() -> {
                try {
                    prepared(seed);
                } catch (Throwable failure) {
                    synchronized (failures) { failures.add(failure); }
                }
            }));
        }
        for (Thread thread : threads) thread.start();
        for (Thread thread : threads) thread.join();
        for (Throwable failure : failures) throw new Exception(failure);
    }

    public static void main(String[] arguments) throws Exception {
        url = arguments[0];
        switch (arguments[1]) {
            case "prepared" -> prepared(0);
            case "fetchSize" -> fetchSize();
            case "batch" -> batch();
            case "errors" -> errors();
            case "threads" -> threads();
            default -> throw new IllegalArgumentException(arguments[1]);
        }
        System.out.println("done");
    }
}
