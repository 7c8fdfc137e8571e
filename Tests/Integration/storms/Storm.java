import java.io.ByteArrayOutputStream;
import java.io.StringReader;
import java.nio.charset.StandardCharsets;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Savepoint;
import java.sql.Statement;
import java.util.ArrayList;
import java.util.List;
import java.util.Properties;
import java.util.Random;
import java.util.Set;
import org.postgresql.PGConnection;
import org.postgresql.copy.CopyManager;

/**
 * storm.py for PostgreSQL's JDBC driver: every statement prepared at once, results by fetch size.
 *
 * <p>Arguments: URL, seed, statements, connections.
 */
public final class Storm {
    /** SQLSTATEs of a connection that is lost; no other end of a connection is allowed. */
    private static final Set<String> GONE =
            Set.of("57P01", "57P02", "57P03", "08000", "08001", "08003", "08006");

    private static final long PATIENCE = 15_000_000_000L;
    private static final int NUMBERS = 300;

    private interface Step {
        void run() throws Exception;
    }

    private final String url;
    private final int number;
    private final int wanted;
    private final Random random;
    private final List<Step> kinds = new ArrayList<>();
    private final List<Long> committed = new ArrayList<>();
    private final List<Long> doubtful = new ArrayList<>();
    private Connection connection;
    private String token;
    private String memory;
    private int statements;
    private int deaths;
    private long ids;
    private Throwable failure;

    private Storm(String url, long seed, int number, int wanted) {
        this.url = url;
        this.number = number;
        this.wanted = wanted;
        this.random = new Random(seed * 1000 + number);
        for (int n = 0; n < 8; n++) kinds.add(this::prepared);
        for (int n = 0; n < 6; n++) kinds.add(this::simple);
        for (int n = 0; n < 4; n++) kinds.add(this::commit);
        kinds.addAll(List.of(this::large, this::insert, this::rollback, this::savepoint));
        kinds.addAll(List.of(this::local, this::error, this::cursor, this::copy, this::set));
        kinds.addAll(List.of(this::reset, this::tokenByBoundName, this::lock, this::temporary));
    }

    private void run() {
        try {
            reopen();
            while (statements < wanted) {
                try {
                    kinds.get(random.nextInt(kinds.size())).run();
                } catch (SQLException error) {
                    if (!isDeath(error)) throw error;
                    deaths++;
                    reopen();
                }
            }
            connection.close();
        } catch (Throwable error) {
            failure = new Exception("connection " + number + ", statement " + statements, error);
        }
    }

    // The connection and what is set in it.

    private boolean isDeath(SQLException error) throws SQLException {
        return error.getSQLState() == null
                ? connection == null || connection.isClosed()
                : GONE.contains(error.getSQLState());
    }

    private void reopen() throws SQLException {
        long began = System.nanoTime();
        while (true) {
            try {
                if (connection != null) connection.close();
                connection = null;
                Properties properties = new Properties();
                properties.setProperty("prepareThreshold", "1");
                // By default a text without parameters is no Query either.
                if (number % 2 == 0) {
                    properties.setProperty("preferQueryMode", "extendedForPrepared");
                }
                connection = DriverManager.getConnection(url, properties);
                memory = "4MB";
                newToken();
                simply("set app.token = '" + token + "'");
                return;
            } catch (SQLException error) {
                if (!isDeath(error) || System.nanoTime() - began > PATIENCE) throw error;
                deaths++;
            }
        }
    }

    private void newToken() {
        token = number + ":" + random.nextInt(1_000_000_000);
    }

    // Asking: each counts as one statement when it is answered.

    /** The rows, each as its columns' texts with a bar between them. */
    private List<String> rows(ResultSet found) throws SQLException {
        List<String> rows = new ArrayList<>();
        try (found) {
            int count = found.getMetaData().getColumnCount();
            while (found.next()) {
                StringBuilder row = new StringBuilder(found.getString(1));
                for (int n = 2; n <= count; n++) row.append('|').append(found.getString(n));
                rows.add(row.toString());
            }
        }
        return rows;
    }

    private void counted(Step step) throws SQLException {
        long began = System.nanoTime();
        try {
            step.run();
        } catch (SQLException | RuntimeException error) {
            throw error;
        } catch (Exception error) {
            throw new IllegalStateException(error);
        } finally {
            statements++;
            if (System.nanoTime() - began > PATIENCE) throw new AssertionError("no answer");
        }
    }

    private List<String> ask(String sql, Object... values) throws SQLException {
        List<String> found = new ArrayList<>();
        counted(() -> {
            try (PreparedStatement statement = connection.prepareStatement(sql)) {
                for (int n = 0; n < values.length; n++) statement.setObject(n + 1, values[n]);
                if (statement.execute()) found.addAll(rows(statement.getResultSet()));
            }
        });
        return found;
    }

    private List<String> simply(String sql) throws SQLException {
        List<String> found = new ArrayList<>();
        counted(() -> {
            try (Statement statement = connection.createStatement()) {
                if (statement.execute(sql)) found.addAll(rows(statement.getResultSet()));
            }
        });
        return found;
    }

    private void refused(String code, Step step) throws Exception {
        try {
            step.run();
        } catch (SQLException error) {
            if (code.equals(error.getSQLState())) return;
            throw error;
        }
        throw new AssertionError("no error " + code);
    }

    private void check(Object found, Object wanted) {
        if (!wanted.equals(found)) throw new AssertionError("found " + found + ", not " + wanted);
    }

    private void checkOwn() throws SQLException {
        check(
                simply("select current_setting('app.token'), current_setting('work_mem')"),
                List.of(token + "|" + memory));
    }

    // Rows of the table storm, and transactions.

    private long id() {
        return number * 1_000_000L + ++ids;
    }

    private void put(long id) throws SQLException {
        ask("insert into storm (id, token) values (?, ?)", id, token);
    }

    private void checkSeen(long from, long to, List<Long> wanted) throws SQLException {
        List<String> rows = new ArrayList<>();
        for (long id : wanted) rows.add(id + "|" + token);
        check(ask("select id, token from storm where id between ? and ? order by id", from, to),
                rows);
    }

    private void begin() throws SQLException {
        connection.setAutoCommit(false);
    }

    private void end(List<Long> rows) throws SQLException {
        try {
            counted(() -> connection.commit());
            committed.addAll(rows);
        } catch (SQLException error) {
            doubtful.addAll(rows);
            throw error;
        }
        connection.setAutoCommit(true);
    }

    private void undo() throws SQLException {
        counted(() -> connection.rollback());
        connection.setAutoCommit(true);
    }

    // Ways of asking.

    private void prepared() throws SQLException {
        int n = random.nextInt(1_000_000);
        int k = random.nextInt(12);
        String mine = k > 7 ? ", " + number : "";
        check(
                ask("select cast(? as int) + " + k + ", current_setting('app.token')" + mine, n),
                List.of(n + k + "|" + token + (k > 7 ? "|" + number : "")));
    }

    private void simple() throws SQLException {
        String word = "w" + random.nextInt(1_000_000_000);
        check(
                simply("select '" + word + "', current_setting('app.token'),"
                        + " current_setting('work_mem')"),
                List.of(word + "|" + token + "|" + memory));
    }

    private void large() throws SQLException {
        int count = random.nextInt(20_000);
        check(
                ask("select repeat(cast(? as text), cast(? as int))", token, count),
                List.of(token.repeat(count)));
    }

    private void insert() throws SQLException {
        long id = id();
        try {
            put(id);
            committed.add(id);
        } catch (SQLException error) {
            doubtful.add(id);
            throw error;
        }
    }

    private void commit() throws SQLException {
        long id = id();
        begin();
        List<String> server = simply("select pg_backend_pid()");
        put(id);
        checkSeen(id, id, List.of(id));
        check(simply("select pg_backend_pid()"), server);
        end(List.of(id));
    }

    private void rollback() throws SQLException {
        long id = id();
        begin();
        put(id);
        simply("set work_mem = '77kB'");
        simply("set app.token = 'rolled back'");
        check(simply("show work_mem"), List.of("77kB"));
        undo();
        checkSeen(id, id, List.of());
        checkOwn();
    }

    private void savepoint() throws Exception {
        long one = id();
        long two = id();
        long three = id();
        begin();
        put(one);
        Savepoint here = connection.setSavepoint();
        put(two);
        simply("set work_mem = '78kB'");
        if (random.nextBoolean()) refused("22012", () -> ask("select 1 / cast(? as int)", 0));
        counted(() -> connection.rollback(here));
        put(three);
        checkSeen(one, three, List.of(one, three));
        checkOwn();
        end(List.of(one, three));
        checkOwn();
    }

    private void local() throws SQLException {
        begin();
        simply("set local app.token = 'local'");
        simply("set local work_mem = '79kB'");
        check(
                ask("select current_setting('app.token'), current_setting(?)", "work_mem"),
                List.of("local|79kB"));
        end(List.of());
        checkOwn();
    }

    private void error() throws Exception {
        refused("22012", () -> ask("select 1 / cast(? as int)", 0));
        check(ask("select 1 / cast(? as int)", 1), List.of("1"));
        refused("42601", () -> simply("selec 1"));
        refused("42P01", () -> simply("select * from no_such_table"));
        checkOwn();
    }

    private void cursor() throws SQLException {
        int count = random.nextBoolean() ? NUMBERS : 120;
        List<String> found = new ArrayList<>();
        begin();
        counted(() -> {
            try (PreparedStatement statement = connection.prepareStatement(
                    "select n, current_setting('app.token') from storm_numbers where n <= ?"
                            + " order by n")) {
                statement.setFetchSize(50);
                statement.setInt(1, count);
                found.addAll(rows(statement.executeQuery()));
            }
        });
        end(List.of());
        List<String> all = new ArrayList<>();
        for (int n = 1; n <= count; n++) all.add(n + "|" + token);
        check(found, all);
    }

    private void copy() throws SQLException {
        List<Long> rows = new ArrayList<>();
        StringBuilder text = new StringBuilder();
        StringBuilder out = new StringBuilder();
        for (int n = 2 + random.nextInt(28); n > 0; n--) {
            long id = id();
            rows.add(id);
            text.append(id).append('\t').append(token).append('\n');
            out.append(id).append('\n');
        }
        long from = rows.get(0);
        long to = rows.get(rows.size() - 1);
        begin();
        CopyManager copy = connection.unwrap(PGConnection.class).getCopyAPI();
        counted(() -> copy.copyIn(
                "copy storm (id, token) from stdin", new StringReader(text.toString())));
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        counted(() -> copy.copyOut(
                "copy (select id from storm where id between " + from + " and " + to
                        + " order by id) to stdout", bytes));
        check(bytes.toString(StandardCharsets.UTF_8), out.toString());
        checkSeen(from, to, rows);
        if (random.nextBoolean()) {
            end(rows);
        } else {
            undo();
            checkSeen(from, to, List.of());
        }
    }

    private void set() throws SQLException {
        memory = random.nextInt(65, 1000) * 2 + 1 + "kB";
        simply("set work_mem = '" + memory + "'");
        checkOwn();
    }

    private void reset() throws SQLException {
        memory = "4MB";
        simply("reset work_mem");
        checkOwn();
    }

    private void tokenByBoundName() throws SQLException {
        newToken();
        check(ask("select set_config(?, ?, false)", "app.token", token), List.of(token));
        checkOwn();
    }

    private void lock() throws SQLException {
        ask("select cast(pg_advisory_lock(cast(? as bigint)) as text)", number);
        checkOwn();
        check(ask("select pg_advisory_unlock(cast(? as bigint))", number), List.of("t"));
    }

    private void temporary() throws SQLException {
        simply("create temp table own (token text)");
        ask("insert into own (token) values (?)", token);
        check(simply("select token from own"), List.of(token));
        simply("drop table own");
    }

    public static void main(String[] arguments) throws Exception {
        int count = Integer.parseInt(arguments[3]);
        int share = (Integer.parseInt(arguments[2]) + count - 1) / count;
        List<Storm> storms = new ArrayList<>();
        List<Thread> threads = new ArrayList<>();
        for (int number = 1; number <= count; number++) {
            Storm storm = new Storm(arguments[0], Long.parseLong(arguments[1]), number, share);
            storms.add(storm);
            threads.add(new Thread(storm::run));
        }
        for (Thread thread : threads) thread.start();
        for (Thread thread : threads) thread.join();
        int statements = 0;
        int deaths = 0;
        StringBuilder committed = new StringBuilder("committed");
        StringBuilder doubtful = new StringBuilder("doubtful");
        for (Storm storm : storms) {
            if (storm.failure != null) throw new Exception(storm.failure);
            statements += storm.statements;
            deaths += storm.deaths;
            for (long id : storm.committed) committed.append(' ').append(id);
            for (long id : storm.doubtful) doubtful.append(' ').append(id);
        }
        System.out.println("statements " + statements + "\ndeaths " + deaths);
        System.out.println(committed + "\n" + doubtful);
    }
}
