import sys,subprocess
sys.path.insert(0,"/work/main")
sys.argv=["x"]
from pathlib import Path
src=Path("/work/main/tests/integration/store/test_migrations.py").read_text()
prog=src.split('UPGRADE_AT_ONCE = """')[1].split('"""')[0]
def test(empty_url):
    for _ in range(1):
        d=subprocess.run([sys.executable,"-c",prog,empty_url,"8"],cwd="/work/main",capture_output=True,text=True)
        print(d.stdout,d.stderr[-300:])
