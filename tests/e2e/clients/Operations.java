// Operations HOST PORT USER PASSWORD DIRECTORY CA-STORE [PROTOCOL]: Apache's commons-net.
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.util.Arrays;
import org.apache.commons.net.ftp.FTP;
import org.apache.commons.net.ftp.FTPSClient;

public class Operations {
    interface Step { Object run() throws Exception; }

    static final FTPSClient ftp = new FTPSClient("TLS", false);

    static void report(String name, Step step) {
        try {
            Object value = step.run();
            String said = ftp.getReplyString() == null ? "" : ftp.getReplyString().trim().replaceAll("\\s*\\n\\s*", " | ");
            boolean failed = value == null || Boolean.FALSE.equals(value);
            System.out.println(name + ": " + (failed ? "failed " + said : "ok " + value));
        } catch (Exception error) {
            System.out.println(name + ": failed " + error.getClass().getSimpleName() + " " + error.getMessage());
        }
    }

    static ByteArrayInputStream content() { return new ByteArrayInputStream("content".getBytes()); }

    static String names(String[] all) {
        if (all == null) return null;
        Arrays.sort(all);
        return String.join(",", all);
    }

    public static void main(String[] arguments) throws Exception {
        ftp.setDefaultTimeout(30000);
        ftp.connect(arguments[0], Integer.parseInt(arguments[1]));
        report("login", () -> ftp.login(arguments[2], arguments[3]));
        ftp.execPBSZ(0);
        ftp.execPROT("P");
        ftp.enterLocalPassiveMode();
        ftp.setFileType(FTP.BINARY_FILE_TYPE);
        report("pwd", () -> ftp.printWorkingDirectory());
        report("mkd", () -> ftp.makeDirectory("made"));
        report("cwd", () -> ftp.changeWorkingDirectory("made"));
        report("cwd missing", () -> ftp.changeWorkingDirectory("nosuch"));
        report("stor", () -> ftp.storeFile("file", content()));
        report("append", () -> ftp.appendFile("file", content()));
        report("stor into missing", () -> ftp.storeFile("nosuch/file", content()));
        report("pwd after stor into missing", () -> ftp.printWorkingDirectory());
        report("stor onto directory", () -> ftp.storeFile(".", content()));
        report("pwd after stor onto directory", () -> ftp.printWorkingDirectory());
        report("list missing", () -> names(ftp.listNames("nosuch")));
        report("pwd after list missing", () -> ftp.printWorkingDirectory());
        report("long list missing", () -> ftp.listFiles("nosuch").length);
        report("pwd after long list missing", () -> ftp.printWorkingDirectory());
        ByteArrayOutputStream down = new ByteArrayOutputStream();
        report("retr missing", () -> ftp.retrieveFile("nosuch", down));
        report("pwd after retr missing", () -> ftp.printWorkingDirectory());
        report("list", () -> names(ftp.listNames()));
        report("retr", () -> ftp.retrieveFile("file", down) ? down.toString() : null);
        report("size", () -> ftp.getSize("file"));
        report("size missing", () -> ftp.getSize("nosuch"));
        report("mdtm", () -> ftp.getModificationTime("file") != null);
        report("rename", () -> ftp.rename("file", "renamed"));
        report("dele", () -> ftp.deleteFile("renamed"));
        report("dele missing", () -> ftp.deleteFile("nosuch"));
        report("cdup", () -> ftp.changeToParentDirectory());
        report("rmd", () -> ftp.removeDirectory("made"));
        report("pwd at the end", () -> ftp.printWorkingDirectory());
        report("quit", () -> ftp.logout());
    }
}
