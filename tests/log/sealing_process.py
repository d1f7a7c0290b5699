"""A sealer as a process of its own, to be killed; it needs no published rulebook."""

import threading

from casework.log.write.seal import Sealer
from casework.personal import Vault
from casework.settings import Settings, load_keys
from casework.storage.database import open_engine

if __name__ == "__main__":
    settings = Settings.from_environment()
    keys = load_keys(settings.keys_dir)
    engine = open_engine(settings.database_url)
    sealer = Sealer(engine, keys.mac, Vault(keys.personal, keys.blind), settings.keys_dir, stretch=5)
    print("ready", flush=True)
    sealer.watch(threading.Event(), every_s=0.005)
