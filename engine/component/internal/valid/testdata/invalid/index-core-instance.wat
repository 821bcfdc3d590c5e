;; core instance 0 is not there
(component (core module $m (import "" "f" (func))) (core instance (instantiate $m (with "" (instance 0)))))
