"""python -m bot: what is typed is bot.shell's."""

import gc
import signal
import sys

_INTERRUPTED = 130

if __name__ == "__main__":
    gc.disable()  # what is imported stays: to look for garbage in it is a tenth of the start
    try:
        from bot.logs import hear_last_words
        from bot.shell import main
        from bot.unread import ended
    except KeyboardInterrupt:
        sys.exit(_INTERRUPTED)  # the imports take seconds
    gc.freeze()
    gc.enable()
    hear_last_words()
    code = ended(main)
    # All is closed; whoever is impatient now is not to be told of our threads.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    sys.exit(code)
