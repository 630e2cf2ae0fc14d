"""`cyclecolor` whose engine `ray` is processes that fork, with decoders that can crash: no Ray to start.

python tests/forks_driver.py translate SOURCE -o OUTPUT --engine ray --workers 2
"""

from forks import Forks

if __name__ == "__main__":
    from cyclecolor.cli.main import main
    from cyclecolor.collection import ray_actors
    from cyclecolor.inference import load

    ray_actors.RayActors = lambda work, size: Forks(work, load(None, **work.look), size or 2)
    main()
