;; a record has nothing in it
(component (component (component (type (record)))))
