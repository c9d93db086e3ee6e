// cAdvisor from its published libraries: the module with its own command is not published.
// It serves what Prometheus asks of the official program, under the same flags: /metrics and /healthz, no web pages.
package main

import (
	"flag"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"

	_ "github.com/google/cadvisor/container/docker/install"
	_ "github.com/google/cadvisor/lib/container/containerd/install"
	_ "github.com/google/cadvisor/lib/container/systemd/install"

	"github.com/google/cadvisor/lib/cache/memory"
	"github.com/google/cadvisor/lib/container"
	"github.com/google/cadvisor/lib/manager"
	"github.com/google/cadvisor/lib/metrics"
	info "github.com/google/cadvisor/lib/model"
	"github.com/google/cadvisor/lib/utils/sysfs"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"k8s.io/utils/clock"
)

var version = "unknown"

var (
	port        = flag.Int("port", 8080, "port to listen")
	address     = flag.String("listen_ip", "", "IP to listen on, all by default")
	keep        = flag.Duration("storage_duration", 2*time.Minute, "how long to keep samples")
	labels      = flag.Bool("store_container_labels", true, "turn all container labels into labels of metrics")
	listed      = flag.String("whitelisted_container_labels", "", "container labels to keep where store_container_labels is false, by commas")
	showVersion = flag.Bool("version", false, "print the version")
	disabled    = metricSet{container.ProcessSchedulerMetrics: {}, container.NetworkTcpUsageMetrics: {}, container.NetworkUdpUsageMetrics: {}, container.NetworkAdvancedTcpUsageMetrics: {}, container.HugetlbUsageMetrics: {}, container.ReferencedMemoryMetrics: {}, container.CPUTopologyMetrics: {}, container.ResctrlMetrics: {}, container.CPUSetMetrics: {}, container.MemoryNumaMetrics: {}, container.PerfMetrics: {}}
	enabled     = metricSet{}
)

// metricSet is a flag: kinds of metrics, by commas. Setting it replaces its default.
type metricSet container.MetricSet

func (set metricSet) String() string { return container.MetricSet(set).String() }

func (set metricSet) Set(text string) error {
	clear(set)
	for kind := range strings.SplitSeq(text, ",") {
		if kind == "" {
			continue
		}
		if !container.AllMetrics.Has(container.MetricKind(kind)) {
			return fmt.Errorf("no such kind of metrics: %s", kind)
		}
		set[container.MetricKind(kind)] = struct{}{}
	}
	return nil
}

func main() {
	flag.Var(disabled, "disable_metrics", "kinds of metrics to leave out, by commas")
	flag.Var(enabled, "enable_metrics", "kinds of metrics to take; overrides disable_metrics")
	flag.Bool("logtostderr", true, "accepted for the official program's sake: logs always go to stderr")
	flag.Parse()
	if *showVersion {
		fmt.Println("cAdvisor version", version)
		return
	}
	if err := run(); err != nil {
		log.Fatal(err)
	}
}

func run() error {
	included := container.AllMetrics.Difference(container.MetricSet(disabled))
	if len(enabled) > 0 {
		included = container.MetricSet(enabled)
	}
	watcher, err := manager.New(memory.New(*keep, nil), sysfs.NewRealSysFs(), manager.HousekeepingConfigFlags, included, []string{""}, nil, "", 0)
	if err != nil {
		return err
	}
	if err := watcher.Start(); err != nil {
		return err
	}

	stop := make(chan os.Signal, 1)
	signal.Notify(stop, os.Interrupt, syscall.SIGTERM)
	go func() {
		<-stop
		_ = watcher.Stop()
		os.Exit(0)
	}()

	labelsOf := metrics.DefaultContainerLabels
	if !*labels {
		labelsOf = metrics.BaseContainerLabels(strings.Split(*listed, ","))
	}
	registry := prometheus.NewRegistry()
	registry.MustRegister(
		metrics.NewPrometheusCollector(watcher, labelsOf, included, clock.RealClock{}, info.RequestOptions{IdType: info.TypeName, Count: 1, Recursive: true}),
		metrics.NewPrometheusMachineCollector(watcher, included),
	)
	http.Handle("/metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{ErrorHandling: promhttp.ContinueOnError}))
	http.HandleFunc("/healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "ok") })
	return http.ListenAndServe(net.JoinHostPort(*address, strconv.Itoa(*port)), nil)
}
