import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.Savepoint;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;

/**
 * shards.py for PostgreSQL's JDBC driver, which begins a transaction in the batch of its first
 * statement.
 *
 * <p>Arguments: URL, seed, statements, connections.
 */
public final class Shards {
    private static final int TENANTS_PER_CONNECTION = 5;

    private final String url;
    private final int wanted;
    private final Random random;
    private final long firstTenant;
    private final List<List<String>> rows = new ArrayList<>();
    private Connection connection;
    private int statements;
    private long ids;
    private Throwable failure;

    private Shards(String url, long seed, int number, int wanted) {
        this.url = url;
        this.wanted = wanted;
        this.random = new Random(seed * 1000 + number);
        this.firstTenant = 1000 + (long) number * TENANTS_PER_CONNECTION;
        for (int n = 0; n < TENANTS_PER_CONNECTION; n++) rows.add(new ArrayList<>());
    }

    private void run() {
        try {
            connection = DriverManager.getConnection(url);
            while (statements < wanted) {
                int place = random.nextInt(TENANTS_PER_CONNECTION);
                switch (random.nextInt(4)) {
                    case 0 -> rows.get(place).add(insert(place));
                    case 1 -> check(place, rows.get(place));
                    case 2 -> block(place);
                    default -> batch(place);
                }
            }
            connection.close();
        } catch (Throwable error) {
            failure = error;
        }
    }

    private String insert(int place) throws Exception {
        String note = (firstTenant + place) + ":" + random.nextInt(1_000_000_000);
        String sql = "insert into orders (tenant_id, id, note) values (?, ?, ?)";
        try (PreparedStatement it = connection.prepareStatement(sql)) {
            it.setLong(1, firstTenant + place);
            it.setLong(2, ++ids);
            it.setString(3, note);
            it.executeUpdate();
        }
        statements++;
        return note;
    }

    private void check(int place, List<String> wanted) throws Exception {
        List<String> found = new ArrayList<>();
        String sql = "select note from orders where tenant_id = ? order by id";
        try (PreparedStatement it = connection.prepareStatement(sql)) {
            it.setLong(1, firstTenant + place);
            try (ResultSet result = it.executeQuery()) {
                while (result.next()) found.add(result.getString(1));
            }
        }
        statements++;
        if (!found.equals(wanted)) throw new AssertionError(found + ", not " + wanted);
    }

    private void block(int place) throws Exception {
        connection.setAutoCommit(false);
        List<String> now = new ArrayList<>(rows.get(place));
        boolean isUndone = random.nextBoolean();
        if (random.nextBoolean()) connection.setSavepoint();
        now.add(insert(place));
        Savepoint savepoint = connection.setSavepoint();
        insert(place);
        connection.rollback(savepoint);
        check(place, now);
        if (isUndone) {
            connection.rollback();
        } else {
            connection.commit();
            rows.set(place, now);
        }
        connection.setAutoCommit(true);
    }

    private void batch(int place) throws Exception {
        String sql = "insert into orders (tenant_id, id, note) values (?, ?, ?)";
        try (PreparedStatement it = connection.prepareStatement(sql)) {
            for (int n = 0; n < 4; n++) {
                String note = (firstTenant + place) + ":" + random.nextInt(1_000_000_000);
                it.setLong(1, firstTenant + place);
                it.setLong(2, ++ids);
                it.setString(3, note);
                it.addBatch();
                rows.get(place).add(note);
            }
            it.executeBatch();
        }
        statements += 4;
    }

    public static void main(String[] arguments) throws Exception {
        int count = Integer.parseInt(arguments[3]);
        List<Shards> all = new ArrayList<>();
        List<Thread> threads = new ArrayList<>();
        for (int number = 0; number < count; number++) {
            int wanted = Integer.parseInt(arguments[2]) / count;
            Shards one = new Shards(arguments[0], Long.parseLong(arguments[1]), number, wanted);
            all.add(one);
            threads.add(new Thread(one::run));
        }
        for (Thread thread : threads) thread.start();
        for (Thread thread : threads) thread.join();
        int statements = 0;
        StringBuilder rows = new StringBuilder("rows");
        for (Shards one : all) {
            if (one.failure != null) {
                one.failure.printStackTrace();
                System.exit(1);
            }
            statements += one.statements;
            for (List<String> some : one.rows) for (String it : some) rows.append(' ').append(it);
        }
        System.out.println("statements " + statements);
        System.out.println(rows);
    }
}
