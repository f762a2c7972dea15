"""python -m yocto: the same as yocto."""

from yocto.cli.app import main

if __name__ == "__main__":
    main()
